import { spawn } from "node:child_process";
import { constants } from "node:os";
import { BaseCommand } from "../../base-command.ts";
import { CliError } from "../../cli-error.ts";
import { emulatorFlags, optionsOf } from "../../emulator/flags.ts";
import { startUnlessStopped } from "../../emulator/start-unless-stopped.ts";
import { stopped, stopSignal } from "../../stop-signal.ts";

/** What a shell answers for a command that was not found. */
const NOT_FOUND = 127;

export default class EmulatorExec extends BaseCommand {
  static override summary = "Run a command beside an emulator of its own, and exit with its code.";
  static override description =
    "The command gets USAGEFLOW_URL, USAGEFLOW_API_KEY and USAGEFLOW_WEBHOOK_SECRET. When it ends, the emulator ends. Made for tests.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> -- npm test",
    "<%= config.bin %> <%= command.id %> --clock 2015-05-21T00:00:00Z --catalog catalog.yaml -- usageflow usage import events.ndjson",
  ];
  static override usage = "<%= command.id %> [FLAGS] -- COMMAND [ARGUMENTS]";
  static override flags = emulatorFlags;
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
    const stop = stopSignal();
    const listeners = { onTrouble: (words: string) => this.say(words) };
    const emulator = await startUnlessStopped({ ...options, listeners }, stop);
    try {
      const env = {
        ...process.env,
        USAGEFLOW_URL: emulator.url,
        USAGEFLOW_API_KEY: emulator.apiKey,
        USAGEFLOW_WEBHOOK_SECRET: emulator.webhookSecret,
      };
      process.exitCode = await runChild(command, args, env, stop);
    } finally {
      await emulator.close();
    }
  }
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
