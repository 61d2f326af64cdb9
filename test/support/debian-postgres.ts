import { execFile, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chmod, chown, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { freePort } from "../../cli/emulator/free-port.ts";
import { makeScratch } from "./scratch.ts";

// The PostgreSQL of the system, which has what the embedded one has not: pg_dump and pg_restore of its own version.

const FOLDER = "/usr/lib/postgresql";
const versions = existsSync(FOLDER) ? readdirSync(FOLDER).sort((a, b) => Number(b) - Number(a)) : [];

/** Where its programs are. Undefined: it is not on this machine, whole. */
export const debianPostgres = versions
  .map((version) => join(FOLDER, version, "bin"))
  .find((bin) =>
    ["initdb", "postgres", "pg_dump", "pg_restore", "createdb"].every((name) => existsSync(join(bin, name))),
  );

/** A running server of its own, and its programs. Ends with the test. */
export async function startDebianPostgres(bin: string) {
  const folder = await makeScratch("usageflow-debian-");
  await chmod(folder, 0o755);
  const account = await accountToRunAs();
  const dataDir = join(folder, "data");
  if (account) await chown(folder, account.uid, account.gid);
  const run = promisify(execFile);
  const env = { ...process.env, LC_ALL: "C" };
  await run(join(bin, "initdb"), ["-D", dataDir, "-U", "owner", "--auth=trust", "--encoding=UTF8", "--locale=C"], {
    env,
    ...account,
  });
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: "off",
    jit: "off",
    max_connections: 200,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(join(bin, "postgres"), ["-D", dataDir, ...flags], {
    env,
    ...account,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  onTestFinished(async () => {
    child.kill("SIGINT");
    await gone;
    await rm(folder, { recursive: true, force: true });
  });
  await new Promise<void>((resolve, reject) => {
    let log = "";
    child.once("exit", (code) => reject(new Error(`PostgreSQL ended with ${code}:\n${log}`)));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      if (log.includes("ready to accept connections")) resolve();
    });
  });
  return {
    adminUrl: `postgres://owner:test@127.0.0.1:${port}/postgres`,
    run: (program: string, ...args: string[]) => run(join(bin, program), args, { env }),
  };
}

/** As root it refuses to run. */
async function accountToRunAs(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [, uid, gid] = /^(?:postgres|nobody):[^:]*:(\d+):(\d+):/m.exec(await readFile("/etc/passwd", "utf8")) ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}
