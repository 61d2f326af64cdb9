import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";
import { SERVER_KEYS } from "../support/secret-scan.ts";
import { nameOf, type Target } from "./any-case.ts";
import { callerOf, changesAll, type FuzzPlace, fuzz, judged, targets } from "./campaign.ts";
import { makePlace } from "./place.ts";
import { told } from "./report.ts";
import { createSender, type Way } from "./sender.ts";

// `npm run fuzz` is the long form of this, with as many cases as you like.

const SEED = 20260;
const CASES = 12;

test(`every method and POST /api/track refuse readably what no client sends (seed ${SEED})`, async () => {
  const operatorKey = SERVER_KEYS.operator;
  const harness = await setup({ config: { emulator: true, operatorKey } });
  const { url: receiverUrl } = await startReceiver();
  const place = await makePlace({
    ...{ url: harness.api.url, receiverUrl, drain: harness.drain, operatorKey: operatorKey.toString("base64") },
    ...{ own: harness.tenant, other: await harness.addOrganization("Other") },
  });
  const findings: string[] = await foundAgain(place);
  const all = async (some: readonly Target[]) => {
    for (const target of some) {
      findings.push(...(await fuzz(target, place, { seed: SEED, count: CASES })).findings.map(told));
    }
  };
  await all(targets.filter((target) => !changesAll(target)));
  // What was taken of it, the loops can work on. Nothing is sent to where made-up URLs lead.
  await harness.ownerDb.updateTable("endpoint").set({ url: receiverUrl }).where("url", "!=", "").execute();
  await harness.drain();
  await all(targets.filter(changesAll)); // clocks are far ahead then
  expect(findings).toEqual([]);
});

/** A case that once was answered wrongly, as data. `{{subscriptionId}}` and so on stand for what the tenant has. */
interface Found {
  why: string;
  target: string;
  way: Way;
  headers?: Record<string, string>;
  /** Text, or `base64:` and bytes. */
  body: string;
}

/** What once was answered wrongly, and is again. */
async function foundAgain(place: FuzzPlace): Promise<string[]> {
  const found: Found[] = JSON.parse(await readFile(new URL("found.json", import.meta.url), "utf8"));
  const again: string[] = [];
  for (const { why, target: name, way, headers = {}, body } of found) {
    const target = targets.find((one) => nameOf(one) === name);
    if (!target) throw new Error(`there is no ${name}`);
    const path = target === "track" ? "/api/track" : `/${target.parent.typeName}/${target.name}`;
    const text = body.replace(/\{\{(\w+)\}\}/g, (_, word: string) => place.words.own[word] ?? "");
    const bytes = text.startsWith("base64:") ? Buffer.from(text.slice("base64:".length), "base64") : text;
    const made = { kind: "found", path, way, headers, body: bytes };
    const sender = createSender(place.url, callerOf(target, place));
    const fault = (await judged(sender.send(made), made)).why;
    sender.close();
    if (fault) again.push(`${why}: ${fault}`);
  }
  return again;
}
