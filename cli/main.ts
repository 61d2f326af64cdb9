import { Config, run, settings } from "@oclif/core";

/** Runs a command line to its end and sets the exit code. Every error of every command ends here. */
export async function main(argv: readonly string[], root: string): Promise<void> {
  process.stderr.on("error", () => {}); // a closed pipe; oclif does the same for stdout
  settings.enableAutoTranspile = false; // commands are compiled, whatever NODE_ENV says
  const args = argv[0] === "help" ? [...argv.slice(1), "--help"] : [...argv];
  const known: string[] = [];
  try {
    const config = await Config.load({ root });
    known.push(
      ...[...config.commandIDs, ...config.topics.map(({ name }) => name)].map((id) => id.replaceAll(":", " ")),
    );
    await run(args, config);
  } catch (error) {
    const { report } = await import("./errors.ts");
    report(error, { argv: args, known });
  }
}
