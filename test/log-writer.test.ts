import { spawn } from "node:child_process";
import { existsSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { LogWriter } from "../server/log-writer.ts";
import { ended } from "./support/usageflow.ts";

const line = (number: number) => `${String(number).padStart(9, "0")}\n`;
const linesFrom = (first: number, count: number) => Array.from({ length: count }, (_, place) => line(first + place));

/** A writer to a file, and what is in that. */
async function toFile(waitingMax?: number) {
  const folder = await mkdtemp(join(tmpdir(), "usageflow-log-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "log");
  return { writer: new LogWriter(openSync(file, "w"), waitingMax), written: () => readFileSync(file, "utf8") };
}

test("lines are written in their order, beside what else is done, and what is left at the end", async () => {
  const { writer, written } = await toFile();
  for (const each of linesFrom(0, 1_000)) writer.write(each);
  expect(written()).toBe("");
  await expect.poll(written).toBe(linesFrom(0, 1_000).join(""));
  for (const each of linesFrom(1_000, 1_000)) writer.write(each);
  writer.flush();
  expect(written()).toBe(linesFrom(0, 2_000).join(""));
});

test("more lines than may wait are lost, and it is told how many", async () => {
  const { writer, written } = await toFile(1_000);
  for (const each of linesFrom(0, 150)) writer.write(each);
  writer.flush();
  const [last, ...before] = written().trimEnd().split("\n").reverse();
  expect(`${before.reverse().join("\n")}\n`).toBe(linesFrom(0, 100).join(""));
  expect(JSON.parse(last ?? "")).toEqual({ level: 40, time: expect.any(String), count: 50, msg: "log.lost" });
  writer.write(line(0));
  writer.flush();
  expect(written().endsWith(`}\n${line(0)}`)).toBe(true);
});

test("a process whose reader has gone ends all the same", async () => {
  const script = `
    import { LogWriter } from ${JSON.stringify(new URL("../server/log-writer.ts", import.meta.url).href)};
    const writer = new LogWriter(2);
    process.once("exit", () => writer.flush());
    process.once("message", () => {
      for (const line of ["one\\n", "two\\n"]) writer.write(line);
      process.exit(3);
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  child.stderr?.destroy();
  child.send("end");
  await ended(child);
  expect(child.exitCode).toBe(3);
});

test.runIf(existsSync("/dev/full"))("a full disk takes nothing down with it", async () => {
  const writer = new LogWriter(openSync("/dev/full", "w"));
  for (let times = 0; times < 3; times++) {
    writer.write(line(times));
    await new Promise((resolve) => setImmediate(resolve));
    writer.flush();
  }
});
