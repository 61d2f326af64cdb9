import { lookup } from "node:dns/promises";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { Flags } from "@oclif/core";
import { readCatalogFile } from "../catalog/catalog-file.ts";
import { CliError } from "../cli-error.ts";
import { DEMO_CLOCK_MS } from "../demo/demo-usage.ts";
import { parseSpan, timeFlag } from "../time.ts";
import { type EmulatorOptions, USUAL_PORT } from "./emulator.ts";
import { exampleSeed, readSeedFile } from "./seed.ts";

const LOOPBACK = /^127\.|^::1$/;

/** Flags of the commands that start an emulator. */
export const emulatorFlags = {
  clock: timeFlag({ description: "Let the clock stand at this time; `clock advance` moves it. Default: real time." }),
  catalog: Flags.string({ description: "Push this catalog file (YAML or JSON).", helpValue: "FILE" }),
  seed: Flags.string({
    description:
      "Put what this file (YAML or JSON) says into the new tenant: catalog, customers, subscriptions, usage.",
    helpValue: "FILE",
  }),
  example: Flags.boolean({
    description: "Begin with the demo's tenant: a catalog and a month of usage, the clock at noon of 31 March 2026.",
    exclusive: ["seed", "catalog", "clock", "import"],
  }),
  import: Flags.string({
    description: "Begin with this snapshot: a name, or a folder that --export-on-exit wrote.",
    helpValue: "SNAPSHOT",
    exclusive: ["clock", "seed"],
  }),
  "export-on-exit": Flags.string({
    description: "Save a snapshot when it ends: under a name, or in a folder.",
    helpValue: "SNAPSHOT",
  }),
  "random-seed": Flags.integer({
    description:
      "Make the same ids in each run, and do all work in one order: the same calls give the same webhooks. The clock stands at 2026-01-01 where --clock says nothing else.",
    helpValue: "N",
    min: 0,
  }),
  "forward-to": Flags.string({
    description: "Send all webhooks to this URL of this machine.",
    helpValue: "URL",
    parse: async (text) => {
      const url = URL.parse(text);
      if (!url || !/^https?:$/.test(url.protocol)) throw new CliError("usage", `"${text}" is no http or https URL`);
      const addresses = await lookup(url.hostname.replace(/^\[|\]$/g, ""), { all: true }).catch(() => []);
      if (addresses.length > 0 && addresses.every(({ address }) => LOOPBACK.test(address))) return text;
      throw new CliError("usage", `"${text}" is not on this machine: an emulator sends to localhost alone`, {
        hint: "Real endpoints get webhooks from a server that runs for real: usageflow serve",
      });
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
    description: `Port to listen on. Default: ${USUAL_PORT}, or a free one where that is taken.`,
    min: 0,
    max: 65_535,
  }),
  data: Flags.string({ description: "Keep the data in this folder. Default: it is thrown away.", helpValue: "DIR" }),
};

/** What the flags say. */
export interface EmulatorFlags {
  clock?: Timestamp | undefined;
  catalog?: string | undefined;
  seed?: string | undefined;
  example?: boolean;
  import?: string | undefined;
  "random-seed"?: number | undefined;
  "forward-to"?: string | undefined;
  "retry-schedule"?: string | undefined;
  port?: number | undefined;
  data?: string | undefined;
}

/** What the flags ask for. Reads the files, so that an error in them comes before anything is started. */
export async function optionsOf(flags: EmulatorFlags): Promise<Omit<EmulatorOptions, "listeners">> {
  return {
    clock: flags.example ? new Date(DEMO_CLOCK_MS) : flags.clock && timestampDate(flags.clock),
    catalog: flags.catalog === undefined ? undefined : await readCatalogFile(flags.catalog),
    seed: flags.example ? exampleSeed() : flags.seed === undefined ? undefined : await readSeedFile(flags.seed),
    import: flags.import,
    randomSeed: flags["random-seed"],
    forwardTo: flags["forward-to"],
    retryScheduleMs: flags["retry-schedule"]?.split(",").map((part) => Number(parseSpan(part)) * 1000),
    port: flags.port,
    data: flags.data,
  };
}
