import { stripVTControlCharacters } from "node:util";
import { Config } from "@oclif/core";
import { expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { Aggregation } from "../../gen/usageflow/v1/pricing_pb.ts";
import { EXAMPLES } from "./every-command.ts";
import { createHere } from "./run-here.ts";
import { createWorld } from "./world.ts";

const root = new URL("../../", import.meta.url).pathname;
const { commands } = await Config.load({ root });
const lists = commands.filter(({ flags }) => "columns" in flags).map(({ id }) => id.replaceAll(":", " "));
const LONG = "A name that somebody thought about for longer than it takes to write it down";

test("every list fits on a terminal of 80 columns, also where there is much to say", { timeout: 120_000 }, async () => {
  const here = await createHere();
  const world = await createWorld(here.folder);
  const { clients, clientsFor, tenant } = world;
  const env = { USAGEFLOW_URL: world.api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const expiresIn = { seconds: 86_400n };
  const key = { name: LONG, role: Role.DEVELOPER, allowedCidrs: ["203.0.113.0/24", "2001:db8::/32"], expiresIn };
  await clients.tenant.createApiKey(key);
  const owner = clientsFor(tenant.ownerToken).tenant;
  await owner.inviteMember({ email: "a.person.with.a.long.name@accounting.example.com", role: Role.DEVELOPER });
  await owner.createAccessToken({ name: LONG });
  await owner.renameOrganization({ name: LONG });
  await clients.tenant.putCustomer({ customer: { id: "ann", name: LONG } });
  await clients.pricing.pushCatalog({ catalog: { metrics: [{ key: "JOBS", aggregation: Aggregation.COUNT }] } });
  await clients.usage.trackUsage({ events: [{ metric: "JOBS", customerId: "x".repeat(60) }] }); // that no plan has
  await world.drain();
  await world.grant();
  await world.discount();
  await world.note();
  await world.replay();
  world.profile();
  const lines = [...lists.map((name) => name.split(" ")), ["audit", "list", "--organization", ...world.asOwner]];
  const wrong: unknown[] = [];
  for (const line of lines) {
    const example = await EXAMPLES[line.join(" ")]?.(world);
    const { stdout, stderr } = await here.run([...line, ...(example ?? [])], { env, columns: 80 });
    const wide = stripVTControlCharacters(stdout)
      .split("\n")
      .filter((text) => text.length > 80);
    if (stdout === "" || wide.length > 0) wrong.push([line.join(" "), stderr, ...wide]);
  }
  expect(wrong).toEqual([]);
});
