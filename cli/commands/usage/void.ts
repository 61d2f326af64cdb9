import { Args, Flags } from "@oclif/core";
import {
  VoidOutcome,
  VoidOutcomeSchema,
  type VoidResult,
  VoidResultSchema,
} from "../../../gen/usageflow/v1/usage_pb.ts";
import { UsageService } from "../../../gen/usageflow/v1/usage_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import type { Column } from "../../output/table.ts";
import { count, word } from "../../output/text.ts";
import { openInput } from "../../usage/open-input.ts";
import { readLines } from "../../usage/read-lines.ts";

/** As many as the contract allows in one call. */
const KEYS_MAX = 1_000;
const NOT_FOUND_EXIT = 4;

const columns: Column<VoidResult>[] = [
  { title: "KEY", value: (result) => result.idempotencyKey },
  { title: "OUTCOME", value: (result) => word(VoidOutcomeSchema, result.outcome) },
];

export default class UsageVoid extends ClientCommand {
  static override summary = "Take usage events back.";
  static override description =
    `A voided event stays stored and listed, and counts no more. Where its period is invoiced already, the difference stands on the subscription's next invoice. There is no way back: send the usage again under a new key.

Doing it again changes nothing, so it may be run again where it broke off. The exit code is 4 when there is no event with one of the keys; the others are voided.`;
  static override examples = [
    '<%= config.bin %> <%= command.id %> order-1234 order-1235 --reason "sent for the wrong customer"',
    '<%= config.bin %> <%= command.id %> --file keys.txt --reason "a test that ran against production"',
  ];
  static override args = { key: Args.string({ description: "The events' idempotency keys." }) };
  static override flags = {
    file: Flags.string({ description: "A file with more keys, one a line, or - for stdin." }),
    reason: Flags.string({ description: "Why.", required: true }),
  };
  static override strict = false;

  override async run(): Promise<void> {
    const { argv, flags } = await this.parse(UsageVoid);
    const keys = [...(argv as string[]), ...(flags.file === undefined ? [] : await readKeys(flags.file))];
    if (keys.length === 0) throw new CliError("usage", "no event is named", { hint: "Give keys, or --file." });
    const service = await this.client(UsageService, flags);
    const items: VoidResult[] = [];
    for (let from = 0; from < keys.length; from += KEYS_MAX) {
      const idempotencyKeys = keys.slice(from, from + KEYS_MAX);
      items.push(...(await service.voidUsage({ idempotencyKeys, reason: flags.reason })).results);
    }
    this.answerList("results", VoidResultSchema, { items, more: false }, columns);
    const missing = items.filter((result) => result.outcome === VoidOutcome.NOT_FOUND).length;
    if (missing === 0) return;
    this.say(`${count(missing, "key")} not found.`);
    process.exitCode = NOT_FOUND_EXIT;
  }
}

async function readKeys(file: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { number, bytes } of readLines(await openInput(file))) {
    if (!bytes) throw new CliError("usage", `${file}, line ${number}: is too long for a key`);
    const key = bytes.toString("utf8").replace(/\r$/, "");
    if (key !== "") keys.push(key);
  }
  return keys;
}
