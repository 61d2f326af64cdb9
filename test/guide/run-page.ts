import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { freePort } from "../../cli/emulator/free-port.ts";
import { createTestDatabase } from "../support/database.ts";
import { Names, settle, settleExactly, settleInAnyOrder } from "./masks.ts";
import { type Block, blocksOf, type Example, examplesOf, linesOf, type Page } from "./page.ts";
import { createShell, type Shell, type Terminal } from "./shell.ts";

/** Ports that pages name: of the emulator, and of a reader's own handlers, of a server. A run takes others, that are free. */
const PORTS = ["8787", "4000", "4001", "8080"];
/** Screens of the dashboard, as its journeys on a terminal left them. */
const SCREENS = new URL("../../docs/screens/", import.meta.url).pathname;
/** The folder that pages speak of. */
const FOLDER = "/home/you/shop";
/** Commands that change nothing. What the workers do in the background they may come too early for, as a reader may. */
const READS = /^npx usageflow (\S+ (show|list|preview|explain|events|unbilled)\b|.* --dry-run\b)/;
const STARTS = /\bemulator (start|exec)\b/;
const DONE_WITHIN_MS = 20_000;
const PRINTED_WITHIN_MS = 60_000;

interface Desk {
  shell: Shell;
  names: Names;
  terminals: Map<string, Terminal & { read: number }>;
}

/** Does all that a page says, from its top to its end, and writes into its blocks what was printed. */
export async function runPage(page: Page): Promise<void> {
  const shell = await createShell();
  const names = new Names();
  names.pair(FOLDER, shell.folder);
  const ports = await Promise.all(PORTS.map(freePort));
  PORTS.forEach((port, at) => {
    names.pair(`:${port}`, `:${ports[at]}`); // of a URL
    names.pair(`(${port}`, `(${ports[at]}`); // listen(4000)
    names.pair(`PORT=${port}`, `PORT=${ports[at]}`);
  });
  if (blocksOf(page).some(({ lines }) => lines.some((line) => line.includes("@db")))) await pairDatabase(names);
  const desk: Desk = { shell, names, terminals: new Map() };
  for (const block of blocksOf(page)) {
    const { file, screen } = block.words;
    if (screen) block.lines = (await readFile(`${SCREENS}${screen}.txt`, "utf8")).trimEnd().split("\n");
    else if (file) await leaveFile(desk, file, block);
    else if (block.language === "console" && !("not-run" in block.words)) await runBlock(desk, block);
  }
}

/** A database of its own in the place of the one that a page calls `db`. */
async function pairDatabase(names: Names): Promise<void> {
  const { ownerUrl, databaseUrl, workerDatabaseUrl, drop } = await createTestDatabase();
  onTestFinished(drop);
  names.pair("postgres://owner:…@db/usageflow", ownerUrl);
  names.pair("postgres://usageflow_app:…@db/usageflow", databaseUrl);
  names.pair("postgres://usageflow_worker:…@db/usageflow", workerDatabaseUrl);
}

async function leaveFile({ shell, names }: Desk, file: string, { lines }: Block): Promise<void> {
  const path = join(shell.folder, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, names.toReal(`${lines.join("\n")}\n`));
}

async function runBlock(desk: Desk, block: Block): Promise<void> {
  const { shell, names } = desk;
  const settled: Example[] = [];
  for (const example of examplesOf(block)) {
    const { command, shown, gap } = example;
    const real = withPort(names.toReal(command), names);
    const { terminal } = block.words;
    if (terminal === undefined) {
      const compared = "exact" in block.words ? settleExactly : settle;
      const run = async () => compared(shown, ending(await shell.run(real)), names);
      settled.push({ command, shown: READS.test(real) ? await again(run, shown) : await run(), gap });
      continue;
    }
    if (command) desk.terminals.set(terminal, { ...(await start(shell, real)), read: 0 });
    if (shown === "^C\n") await desk.terminals.get(terminal)?.stop();
    settled.push({ command, shown: shown === "^C\n" ? shown : await watch(desk, block, shown), gap });
  }
  block.lines = linesOf(settled);
}

/** Runs a command until it prints what the page shows, and gives up after a while. */
async function again(run: () => Promise<string>, shown: string): Promise<string> {
  const began = performance.now();
  for (;;) {
    const settled = await run();
    if (settled === shown || performance.now() - began > DONE_WITHIN_MS) return settled;
  }
}

/** Starts a command in a terminal. An emulator is waited for, as a reader does who opens another terminal then. */
async function start(shell: Shell, command: string): Promise<Terminal> {
  const terminal = await shell.start(command);
  const isReady = () => !STARTS.test(command) || /^(Stop|Error)/m.test(terminal.printed());
  await expect.poll(isReady, { timeout: PRINTED_WITHIN_MS, interval: 20 }).toBe(true);
  return terminal;
}

/** Waits until a terminal shows what the page says. What it shows besides comes with the next block. */
async function watch({ names, terminals }: Desk, { place, words }: Block, shown: string): Promise<string> {
  const terminal = terminals.get(words.terminal ?? "");
  if (!terminal) throw new Error(`${place}: nothing was started in the terminal "${words.terminal}"`);
  const count = shown.split("\n").length - 1;
  const news = () => {
    while (terminal.printed()[terminal.read] === "\n") terminal.read++; // a block begins with no empty line
    return terminal.printed().slice(terminal.read);
  };
  const wanted = () =>
    news()
      .split("\n")
      .slice(0, count)
      .map((line) => `${line}\n`)
      .join("");
  const look = () =>
    "any-order" in words ? settleInAnyOrder(shown, names.toShown(wanted())) : settle(shown, wanted(), names);
  const isComplete = () => news().split("\n").length > count;
  await expect
    .poll(isComplete, { timeout: PRINTED_WITHIN_MS, interval: 20 })
    .toBe(true)
    .catch(() => {});
  const told = isComplete() ? look() : names.toShown(ending(news()));
  terminal.read += wanted().length;
  return told;
}

/** An emulator takes the port that a page names, whether it says so or not. */
function withPort(command: string, names: Names): string {
  if (!STARTS.test(command) || command.includes("--port")) return command;
  return command.replace(STARTS, (words) => `${words} --port ${names.toReal(`:${PORTS[0]}`).slice(1)}`);
}

function ending(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
