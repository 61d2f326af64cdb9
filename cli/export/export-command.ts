import { once } from "node:events";
import type { JsonObject } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { CallOptions } from "@connectrpc/connect";
import { Flags } from "@oclif/core";
import { CliError } from "../cli-error.ts";
import { ClientCommand } from "../client-command.ts";
import { bare } from "../output/json.ts";
import { createProgress } from "../output/progress.ts";
import { count } from "../output/text.ts";
import { stopError, stopSignal } from "../stop-signal.ts";
import { timeFlag } from "../time.ts";
import { ExportFile } from "./export-file.ts";
import { type Format, rowText } from "./row-text.ts";

/** Flags of every command that exports. */
export const exportFlags = {
  from: timeFlag({ description: "Only of this time or later." }),
  before: timeFlag({ description: "Only of before this time." }),
  format: Flags.option({
    options: ["ndjson", "csv"] as const,
    description: "How rows are written. In CSV, a text that a spreadsheet would compute has a ' before it.",
    default: "ndjson",
  })(),
  out: Flags.string({ description: "Write into this file. Default: to stdout.", helpValue: "FILE" }),
  resume: Flags.boolean({
    description: "Go on where an export into this file broke off; from the beginning where there is none.",
    dependsOn: ["out"],
  }),
  force: Flags.boolean({ description: "Replace the file if there is one.", dependsOn: ["out"] }),
};

/** What is said of every one of them. */
export const EXPORT_WORDS =
  "Rows come as they are read, however many there are. With --out the file has its name when all of it is there; until then it is FILE.part, and --resume goes on with it: no row is missing then, and none is there twice. A file that is there before is replaced by --force alone. Each export is an entry of the audit log.";

export interface ExportFlagValues {
  from: Timestamp | undefined;
  before: Timestamp | undefined;
  format: Format;
  out: string | undefined;
  resume: boolean;
  force: boolean;
}

/** What the server is asked for. */
export interface ExportAsked {
  start?: Timestamp;
  end?: Timestamp;
  resumeToken: string;
}

/** Some rows, and where to go on behind them. */
export interface ExportedRows {
  rows: JsonObject[];
  resumeToken: string;
}

/** One noun's export. */
export interface NounExport {
  /** Such as `usage`. */
  noun: string;
  /** Fields that are columns in CSV. */
  columns: readonly string[];
  open: (asked: ExportAsked, options: CallOptions) => AsyncIterable<ExportedRows>;
  /** What is told besides, when all is there. */
  beside?: () => Record<string, string>;
}

/** A command that writes what a server streams. */
export abstract class ExportCommand extends ClientCommand {
  protected async export(flags: ExportFlagValues, noun: NounExport): Promise<void> {
    if (this.jsonEnabled() && !flags.out && flags.format === "csv") {
      throw new CliError("usage", "--json has its own form; --format csv goes with --out, or without --json");
    }
    const stop = stopSignal();
    if (flags.out) await this.exportToFile({ ...flags, out: flags.out }, noun, stop);
    else await this.exportToStdout(flags, noun, stop);
  }

  private async exportToFile(
    flags: ExportFlagValues & { out: string },
    noun: NounExport,
    stop: AbortSignal,
  ): Promise<void> {
    const file = await ExportFile.open(flags.out, factsOf(flags, noun), flags);
    const { head, lineOf } = rowText(flags.format, noun.columns);
    const progress = createProgress();
    try {
      if (file.isEmpty && head !== "") await file.add(head, 0, "");
      for await (const { rows, resumeToken } of file.isWhole ? [] : noun.open(askedFor(flags, file.token), how(stop))) {
        await file.add(rows.map(lineOf).join(""), rows.length, resumeToken);
        progress.show(`${count(file.rows, "row")} in ${flags.out}`);
      }
    } catch (error) {
      progress.end();
      await file.leave();
      const hint = "The same with --resume goes on.";
      if (stop.aborted) throw stopError(stop, `stopped after ${count(file.rows, "row")}`, hint, error);
      this.say(`${count(file.rows, "row")} came before it broke off. ${hint}`);
      throw error;
    } finally {
      progress.end();
    }
    await file.finish();
    const beside = noun.beside?.() ?? {};
    this.answer(
      () => ({ file: flags.out, rows: file.rows, ...beside }),
      () => Object.values(beside).join("\n"),
    );
    this.say(`${count(file.rows, "row")} in ${flags.out}.`);
  }

  private async exportToStdout(flags: ExportFlagValues, noun: NounExport, stop: AbortSignal): Promise<void> {
    const { head, lineOf } = rowText(flags.format, noun.columns);
    let seen = 0;
    try {
      await written(head, stop);
      for await (const { rows } of noun.open(askedFor(flags, ""), how(stop))) {
        await written(rows.map(lineOf).join(""), stop);
        seen += rows.length;
      }
    } catch (error) {
      if (stop.aborted) throw stopError(stop, `stopped after ${count(seen, "row")}`, "", error);
      throw error;
    }
    if (stop.aborted) throw stopError(stop, `stopped after ${count(seen, "row")}`);
    if (seen === 0) this.say(`Nothing to export: no ${noun.noun}.`);
    for (const [name, text] of Object.entries(noun.beside?.() ?? {})) this.say(`The ${name} is ${text}`);
  }
}

/** Waits until whoever reads stdout has taken it: a slow reader makes the server wait, and nothing piles up between. */
async function written(text: string, stop: AbortSignal): Promise<void> {
  if (text === "" || process.stdout.write(text)) return;
  await once(process.stdout, "drain", { signal: stop });
}

function how(stop: AbortSignal): CallOptions {
  return { signal: stop, timeoutMs: 0 };
}

function askedFor({ from, before }: ExportFlagValues, resumeToken: string): ExportAsked {
  return { ...(from ? { start: from } : {}), ...(before ? { end: before } : {}), resumeToken };
}

function factsOf({ from, before, format }: ExportFlagValues, { noun }: NounExport) {
  const text = (time: Timestamp | undefined) => (time ? String(bare(TimestampSchema, time)) : "");
  return { export: noun, "--format": format, "--from": text(from), "--before": text(before) };
}
