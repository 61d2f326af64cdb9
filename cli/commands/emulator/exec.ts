import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Flags } from "@oclif/core";
import { BaseCommand } from "../../base-command.ts";
import { CliError } from "../../cli-error.ts";
import { connect } from "../../client.ts";
import { type Arrived, checkWanted, parseWanted, type Wanted, waitForArrivals } from "../../emulator/arrivals.ts";
import type { Emulator } from "../../emulator/emulator.ts";
import { emulatorFlags, optionsOf } from "../../emulator/flags.ts";
import { runEmulator } from "../../emulator/run-emulator.ts";
import { emulatorVariables } from "../../emulator/variables.ts";
import { stopped, stopSignal } from "../../stop-signal.ts";
import { spanFlag } from "../../time.ts";

/** What a shell answers for a command that was not found. */
const NOT_FOUND = 127;
const TIMEOUT_SECONDS = 30n;

export default class EmulatorExec extends BaseCommand {
  static override summary = "Run a command beside an emulator of its own, and exit with its code.";
  static override description =
    `The command gets USAGEFLOW_URL, USAGEFLOW_API_KEY and USAGEFLOW_WEBHOOK_SECRET. When it ends, the emulator ends. Made for tests.

With --wait-for a command that ended well is followed by a check: so many events of a type, or more, have happened, and every endpoint that is told of them has taken them. What is missing is waited for, at most as long as --timeout says; then the exit code is 7, and what did arrive is told.

With --random-seed and the same --clock two runs are equal: the ids, the bodies and the order of the webhooks of calls that are made one after the other.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> -- npm test",
    "<%= config.bin %> <%= command.id %> --catalog catalog.yaml --forward-to http://localhost:4000/webhooks --wait-for invoice.finalized=3 --timeout 30s -- npm test",
    "<%= config.bin %> <%= command.id %> --clock 2015-05-21T00:00:00Z --catalog catalog.yaml -- usageflow usage import events.ndjson",
  ];
  static override usage = "<%= command.id %> [FLAGS] -- COMMAND [ARGUMENTS]";
  static override flags = {
    ...emulatorFlags,
    "wait-for": Flags.custom<Wanted>({
      description: "Events that are to arrive, such as invoice.finalized=3. May be given more than once.",
      helpValue: "TYPE=N",
      parse: async (text) => parseWanted(text),
    })({ multiple: true }),
    timeout: spanFlag({
      description: "How long to wait for them after the command, such as 30s, which is the default.",
    }),
  };
  static override strict = false;

  override async run(): Promise<void> {
    const { argv, flags } = await this.parse(EmulatorExec);
    const [command, ...args] = argv as string[];
    if (command === undefined) {
      throw new CliError("usage", "no command to run", {
        hint: "Write it after two dashes: emulator exec -- npm test",
      });
    }
    const options = await optionsOf(flags);
    const wanted = flags["wait-for"] ?? [];
    const ms = Number(flags.timeout ?? TIMEOUT_SECONDS) * 1000;
    const stop = stopSignal();
    const asked = new AbortController();
    const name = `exec ${process.pid}`;
    const own = { name, hidden: true, exportOnExit: flags["export-on-exit"], stop, onStop: () => asked.abort("order") };
    const listeners = { onTrouble: (words: string) => this.say(words) };
    await runEmulator({ ...options, ...own, listeners }, async (emulator) => {
      const transport = connect(emulator);
      if (wanted.length > 0) await checkWanted(transport, wanted);
      const ending = AbortSignal.any([stop, asked.signal]);
      process.exitCode = await runChild(command, args, environment(emulator, name), ending);
      if (process.exitCode !== 0 || wanted.length === 0) return;
      this.tellArrived(await waitForArrivals(transport, wanted, { ms, stop: ending }));
    });
  }

  private tellArrived(arrived: readonly Arrived[]): void {
    for (const { type, arrived: count } of arrived) this.say(`${type}: ${count} arrived`);
  }
}

function environment(emulator: Emulator, name: string): NodeJS.ProcessEnv {
  return { ...process.env, ...emulatorVariables(emulator), USAGEFLOW_EMULATOR: name };
}

function runChild(command: string, args: string[], env: NodeJS.ProcessEnv, stop: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: "inherit" });
    // A Ctrl-C in the terminal reaches the command by itself.
    stopped(stop).then(() => (stop.reason === "SIGINT" && process.stdin.isTTY ? undefined : child.kill("SIGTERM")));
    child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
    child.once("error", (error) => {
      if (!("code" in error) || error.code !== "ENOENT") return reject(error);
      process.stderr.write(`${command}: no such command\n`);
      resolve(NOT_FOUND);
    });
  });
}
