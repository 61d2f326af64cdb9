import { Config, run, settings } from "@oclif/core";
import { exitCodesText } from "./exit-codes.ts";
import { endOnInterrupt } from "./stop-signal.ts";
import type { CommandLine } from "./usage-failure.ts";

/** Runs a command line to its end and sets the exit code. Every error of every command ends here. */
export async function main(argv: readonly string[], root: string): Promise<void> {
  process.stderr.on("error", () => {}); // a closed pipe; oclif does the same for stdout
  settings.enableAutoTranspile = false; // commands are compiled, whatever NODE_ENV says
  if (argv[0] === "help" && argv[1] === "exit-codes") return void process.stdout.write(exitCodesText());
  const args = argv[0] === "help" ? [...argv.slice(1), "--help"] : [...argv];
  const line: CommandLine = { argv: args, known: [] };
  const tell = async (error: unknown) => (await import("./errors.ts")).report(error, line);
  endOnInterrupt(tell);
  try {
    const config = await Config.load({ root });
    const names = [...config.commandIDs, ...config.topics.map(({ name }) => name)];
    line.known = names.map((id) => id.replaceAll(":", " "));
    line.flagsOf = (command) =>
      Object.keys(config.findCommand(command.replaceAll(" ", ":"))?.flags ?? {}).map((name) => `--${name}`);
    await run(args, config);
  } catch (error) {
    await tell(error);
  }
}
