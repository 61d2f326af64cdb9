import { Command } from "@oclif/core";
import { wantsJson } from "./wants-json.ts";

/** What all commands share: data on stdout, words on stderr, and `--json`. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true;

  override jsonEnabled(): boolean {
    return wantsJson(this.argv);
  }

  /** Answers on stdout: `json` as it is under `--json` (one line unless a person looks), else `text` for people. */
  protected answer(json: () => unknown, text: () => string): void {
    if (this.jsonEnabled()) this.print(JSON.stringify(json(), null, process.stdout.isTTY ? 2 : 0));
    else this.print(text());
  }

  /** One line, or several, on stdout. */
  protected print(text: string): void {
    if (text !== "") process.stdout.write(`${text}\n`);
  }

  /** Words for people, on stderr. Under `--json` nothing but an error stands there. */
  protected say(text: string): void {
    if (!this.jsonEnabled()) process.stderr.write(`${text}\n`);
  }

  /** Errors go on to `main.ts`, which tells them all in one way. oclif's own way dumps its state under `--json`. */
  protected override async catch(error: Error): Promise<never> {
    throw error;
  }
}
