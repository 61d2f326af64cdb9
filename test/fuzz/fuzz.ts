import { type ChildProcess, fork } from "node:child_process";
import { randomInt } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startPostgres } from "../../cli/emulator/postgres.ts";
import { closeApp, createApp } from "../../server/app.ts";
import { systemClock } from "../../server/clock.ts";
import { defaults } from "../../server/config.ts";
import { appUrls, setLoginPasswords } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";
import { createLog } from "../../server/log.ts";
import { createSecrets } from "../../server/secrets.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { drain } from "../../server/worker.ts";
import { SERVER_KEYS, secretsIn } from "../support/secret-scan.ts";
import { nameOf } from "./any-case.ts";
import { type FuzzPlace, fuzz, type Tally, targets } from "./campaign.ts";
import { makePlace } from "./place.ts";
import { HEAD, line, type Memory, told } from "./report.ts";

// The long form: many cases for each method and for `POST /api/track`, against a server in a process of its own, which may
// neither end, nor fault, nor grow. Each target has tenants of its own, so that its cases are the same whatever else is run.

const { values: flags } = parseArgs({
  options: {
    cases: { type: "string", default: "10000" }, // of each
    from: { type: "string", default: "0" }, // number of the first case
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
    only: { type: "string", default: "" }, // part of the names of methods
    after: { type: "string", default: "" }, // go on with what follows this one
  },
});
const count = Number(flags.cases);
const from = Number(flags.from);
const seed = Number(flags.seed);
/** Cases that warm the server up before its memory is compared, and how much it may grow from there. */
const WARM_CASES = 300;
const GROWTH_MAX_BYTES = 50 * 1024 * 1024;
const TEST_CLOCK = new Date("2015-05-21T00:00:00Z");

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const folder = await mkdtemp(join(tmpdir(), "usageflow-fuzz-"));
await chmod(folder, 0o755);
const postgres = await startPostgres({ dataDir: join(folder, "postgres"), durable: false, password: "fuzz" });
const receiver = createServer((_, response) => response.writeHead(204).end()).listen(0, "127.0.0.1");
let failed = 0;
let child: ChildProcess | undefined;
try {
  await migrate(postgres.url);
  await setLoginPasswords(postgres.url);
  const { master: masterKey, pepper: keyPepper, operator } = SERVER_KEYS;
  const urls = { ...appUrls(postgres.url), listenUrl: undefined };
  const app = await createApp(
    { ...defaults, ...urls, masterKey, keyPepper, emulator: true },
    { log: createLog("silent"), clock: systemClock },
  );
  const keys = {
    masterKey: masterKey.toString("base64"),
    keyPepper: keyPepper.toString("base64"),
    operatorKey: operator.toString("base64"),
  };
  const server = await start(JSON.stringify({ ...urls, ...keys }));
  child = server.child;
  const parts = { secrets: createSecrets({ masterKey, keyPepper }), clock: systemClock };
  const receiverUrl = `http://localhost:${(receiver.address() as AddressInfo).port}/`;
  const organization = async (name: string) => {
    const made = await initOrganization(postgres.url, parts, { name, testClock: TEST_CLOCK });
    return { testKey: made.test.secret, ownerToken: made.ownerToken };
  };
  const place = async (name: string): Promise<FuzzPlace> => {
    const [own, other] = [await organization(name), await organization(`${name}, another`)];
    return makePlace({
      url: server.url,
      own,
      other,
      operatorKey: keys.operatorKey,
      receiverUrl,
      drain: () => drain(app),
    });
  };
  const left = targets.slice(targets.findIndex((target) => nameOf(target) === flags.after) + 1);
  const chosen = left.filter((target) => nameOf(target).includes(flags.only));
  process.stdout.write(`seed ${seed}, ${count} cases each from number ${from}\n${HEAD}\n`);
  for (const target of chosen) {
    const where = await place(nameOf(target));
    const warm = Math.min(WARM_CASES, count);
    const first = await fuzz(target, where, { seed, count: warm, from });
    const before = await server.memory();
    const rest = await fuzz(target, where, { seed, count: count - warm, from: from + warm });
    const after = await server.memory();
    const tally = both(first, rest);
    process.stdout.write(`${line(tally, after)}\n`);
    for (const finding of tally.findings.slice(0, 20)) process.stdout.write(`  ${told(finding)}\n`);
    const grown = after.heap - before.heap;
    if (grown > GROWTH_MAX_BYTES) process.stdout.write(`  the server's heap grew by ${grown} bytes\n`);
    failed += tally.findings.length + (grown > GROWTH_MAX_BYTES ? 1 : 0);
  }
  await closeApp(app);
  const faults = (await readFile(join(folder, "server.log"), "utf8"))
    .split("\n")
    .filter((text) => /"level":50/.test(text) || secretsIn(text).length > 0);
  for (const fault of faults.slice(0, 20)) process.stdout.write(`  logged: ${fault}\n`);
  failed += faults.length;
} finally {
  child?.kill();
  receiver.close();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
process.stdout.write(failed === 0 ? "no finding\n" : `${failed} findings\n`);
process.exitCode = failed === 0 ? 0 : 1;

/** Starts the server, and ends this process when the server ends by itself. */
async function start(given: string) {
  const serving = fork(new URL("serve.ts", import.meta.url), [given], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: ["--expose-gc"],
  });
  serving.stderr?.pipe(createWriteStream(join(folder, "server.log")));
  const next = <T>() => new Promise<T>((resolve) => serving.once("message", (message) => resolve(message as T)));
  serving.once("exit", (code, signal) => {
    if (serving.killed) return; // by us, at the end
    process.stdout.write(`the server ended with ${code ?? signal}\n`);
    process.exit(1);
  });
  const url = await next<string>();
  const memory = () => {
    const answer = next<Memory>();
    serving.send("memory");
    return answer;
  };
  return { child: serving, url, memory };
}

function both(first: Tally, rest: Tally): Tally {
  const codes = new Map(first.codes);
  for (const [code, times] of rest.codes) codes.set(code, (codes.get(code) ?? 0) + times);
  return {
    target: first.target,
    cases: first.cases + rest.cases,
    codes,
    findings: [...first.findings, ...rest.findings],
    slowestMs: Math.max(first.slowestMs, rest.slowestMs),
  };
}
