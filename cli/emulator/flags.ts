import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { Flags } from "@oclif/core";
import { readCatalogFile } from "../catalog/catalog-file.ts";
import { CliError } from "../cli-error.ts";
import { httpUrl } from "../http-url.ts";
import { parseSpan, timeFlag } from "../time.ts";
import type { EmulatorOptions } from "./emulator.ts";

/** Flags of the commands that start an emulator. */
export const emulatorFlags = {
  clock: timeFlag({ description: "Let the clock stand at this time; `clock advance` moves it. Default: real time." }),
  catalog: Flags.string({ description: "Push this catalog file (YAML or JSON).", helpValue: "FILE" }),
  "forward-to": Flags.string({
    description: "Send all webhooks to this URL.",
    helpValue: "URL",
    parse: async (text) => {
      if (!httpUrl(text)) throw new CliError("usage", `"${text}" is no http or https URL`);
      return text;
    },
  }),
  "retry-schedule": Flags.string({
    description: "Try webhooks again after these waits, such as 1s,2s,4s; then give up.",
    helpValue: "SPANS",
    parse: async (text) => {
      for (const part of text.split(",")) parseSpan(part);
      return text;
    },
  }),
  port: Flags.integer({
    description: "Port to listen on; a free one where it is taken.",
    default: 8787,
    min: 0,
    max: 65_535,
  }),
  data: Flags.string({ description: "Keep the data in this folder. Default: it is thrown away.", helpValue: "DIR" }),
};

/** What the flags ask for. Reads the catalog, so that an error in it comes before anything is started. */
export async function optionsOf(flags: {
  clock: Timestamp | undefined;
  catalog: string | undefined;
  "forward-to": string | undefined;
  "retry-schedule": string | undefined;
  port: number;
  data: string | undefined;
}): Promise<Omit<EmulatorOptions, "listeners">> {
  return {
    clock: flags.clock && timestampDate(flags.clock),
    catalog: flags.catalog === undefined ? undefined : await readCatalogFile(flags.catalog),
    forwardTo: flags["forward-to"],
    retryScheduleMs: flags["retry-schedule"]?.split(",").map((part) => Number(parseSpan(part)) * 1000),
    port: flags.port,
    data: flags.data,
  };
}
