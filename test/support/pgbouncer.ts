import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { chmod, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { inject, onTestFinished } from "vitest";
import { freePort } from "../../cli/emulator/free-port.ts";
import { makeScratch } from "./scratch.ts";

// Debian has it where only root looks.
const FOLDERS = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
// Few, so that those who come one after the other meet each other's connections.
const CONNECTIONS = 3;

/** Where PgBouncer is. Undefined: not on this machine. */
export const pgbouncer = FOLDERS.map((folder) => join(folder, "pgbouncer")).find(isProgram);

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts PgBouncer in transaction mode before the tests' PostgreSQL, and answers the way through it: every transaction of a
 * login may have another connection. It ends with the test.
 */
export async function startPgBouncer(program: string): Promise<(url: string) => string> {
  const admin = new URL(inject("adminUrl"));
  const password = decodeURIComponent(admin.password);
  const folder = await makeScratch("usageflow-pgbouncer-");
  await chmod(folder, 0o755); // as root it runs under another account
  const users = join(folder, "users.txt");
  const settings = join(folder, "pgbouncer.ini");
  const port = await freePort();
  await writeFile(users, ["usageflow_app", "usageflow_worker"].map((user) => `"${user}" "${password}"\n`).join(""));
  await writeFile(
    settings,
    `[databases]
* = host=${admin.hostname} port=${admin.port || 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${CONNECTIONS}
ignore_startup_parameters = statement_timeout,lock_timeout,idle_in_transaction_session_timeout,options
`,
  );
  const account = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const child = spawn(program, [...account, settings], { stdio: ["ignore", "ignore", "pipe"] });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await gone;
    await rm(folder, { recursive: true, force: true });
  });
  await new Promise<void>((resolve, reject) => {
    let log = "";
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`PgBouncer ended with ${code}:\n${log}`)));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-10_000);
      if (log.includes("process up")) resolve();
    });
  });
  return (url) => {
    const through = new URL(url);
    through.hostname = "127.0.0.1";
    through.port = String(port);
    return through.href;
  };
}
