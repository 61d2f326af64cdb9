import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { Fate } from "./fate.ts";
import { serverEnv, whenReady } from "./fleet.ts";
import type { Harness } from "./harness.ts";
import { ended, startUsageflow } from "./usageflow.ts";

const FATED = new URL("fated-worker.ts", import.meta.url).href;

/** One process, from its start to its end. */
export interface WorkerLife {
  pid: number;
  /** What it was to die of. */
  fate: Fate | undefined;
  /** Running, stopped by hand in order, killed from outside, or dead of its fate. */
  end: "" | "stopped" | "killed" | "fated";
  /** What it logged of deliveries. */
  logged: { deliveryId: string; eventId: string; what: string }[];
}

/** Workers that die and are started again: as many at a time as there are places. */
export interface FatedWorkers {
  /** All that ever were. */
  lives: readonly WorkerLife[];
  /** That of a place now. Undefined while the place is empty. */
  at(place: number): WorkerLife | undefined;
  /** SIGKILLs that of a place. */
  kill(place: number): void;
  /** Returns when every fate came true. */
  allFated(): Promise<void>;
  /** Stops all of them in order. Throws when one ended by itself, or with a fault. */
  stop(): Promise<void>;
}

/** Starts a worker in each place. That of the first has no fate; the others take one fate after the other, while there are. */
export function startFatedWorkers(
  harness: Harness,
  { places, fates, env }: { places: number; fates: readonly Fate[]; env: Record<string, string> },
): FatedWorkers {
  const lives: WorkerLife[] = [];
  const children = new Map<WorkerLife, ChildProcess>();
  const current: (WorkerLife | undefined)[] = [];
  const rest = [...fates];
  const faults: string[] = [];
  let fatesLeft = fates.length;
  let over = false;
  let allCame = () => {};
  const came = new Promise<void>((resolve) => {
    allCame = resolve;
  });

  /** One life. Where the database is away at its beginning, there is none. */
  const live = async (place: number): Promise<void> => {
    const fate = place === 0 ? undefined : rest.shift();
    const child = startUsageflow(["serve", "--role", "worker", "--json"], {
      env: { ...serverEnv(harness), ...env, USAGEFLOW_TEST_FATE: JSON.stringify(fate ?? null) },
      nodeArgs: ["--import", FATED],
      signal: "SIGKILL",
    });
    const life: WorkerLife = { pid: child.pid ?? 0, fate, end: "", logged: [] };
    children.set(life, child);
    createInterface({ input: child.stderr }).on("line", (line) => note(life, line));
    const ready = await whenReady(child).catch(() => undefined);
    if (!ready && child.signalCode !== "SIGKILL") {
      children.delete(life);
      if (fate) rest.unshift(fate);
      await pause(100);
      return;
    }
    lives.push(life);
    current[place] = life;
    await ended(child);
    current[place] = undefined;
    children.delete(life);
    if (life.end === "stopped" && child.exitCode === 0) return;
    if (life.end === "" && child.signalCode === "SIGKILL" && fate) {
      life.end = "fated";
      if (--fatesLeft === 0) allCame();
    } else if (life.end === "killed") {
      if (fate) rest.push(fate);
    } else {
      faults.push(`worker ${life.pid} ended by itself with ${child.exitCode ?? child.signalCode}`);
    }
  };
  const note = (life: WorkerLife, line: string) => {
    if (!line.startsWith("{")) return void faults.push(line);
    const { msg, delivery_id, event_id } = JSON.parse(line);
    if (delivery_id) life.logged.push({ deliveryId: delivery_id, eventId: event_id, what: msg });
  };
  const all = Array.from({ length: places }, async (_, place) => {
    while (!over) await live(place);
  });
  if (fatesLeft === 0) allCame();
  onTestFinished(async () => {
    over = true;
    for (const child of children.values()) child.kill("SIGKILL");
    await Promise.all(all);
  });
  return {
    lives,
    at: (place) => current[place],
    kill(place) {
      const life = current[place];
      if (!life) return;
      life.end = "killed";
      children.get(life)?.kill("SIGKILL");
    },
    allFated: () => came,
    async stop() {
      over = true;
      for (const [life, child] of children) {
        life.end = "stopped";
        child.kill("SIGTERM");
      }
      await Promise.all(all);
      if (faults.length > 0) throw new Error(faults.join("\n"));
    },
  };
}
