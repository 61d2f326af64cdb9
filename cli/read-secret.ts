import { text } from "node:stream/consumers";
import { CliError } from "./cli-error.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const BACKSPACES = ["\u007f", "\b"];

/** One secret: asked for on a terminal, without showing it; else all of stdin. */
export async function readSecret(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) return (await text(stdin)).trim();
  stderr.write(question);
  stdin.setRawMode(true); // the terminal shows nothing of what is typed
  stdin.setEncoding("utf8");
  let secret = "";
  try {
    for await (const chunk of stdin) {
      for (const key of chunk as string) {
        if (key === "\r" || key === "\n" || key === CTRL_D) return secret.trim();
        if (key === CTRL_C) throw new CliError("interrupted", "by Ctrl-C");
        if (BACKSPACES.includes(key)) secret = secret.slice(0, -1);
        else secret += key;
      }
    }
    return secret.trim();
  } finally {
    stdin.setRawMode(false);
    stderr.write("\n");
  }
}
