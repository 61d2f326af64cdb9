import { Args, Flags } from "@oclif/core";
import { closest } from "fastest-levenshtein";
import { EventSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { CliError } from "../cli-error.ts";
import { connect } from "../client.ts";
import { ClientCommand } from "../client-command.ts";
import { type Column, facts, table } from "../output/table.ts";
import { time } from "../output/text.ts";
import { spanFlag } from "../time.ts";
import { overridden } from "../trigger/override.ts";
import { runTrigger } from "../trigger/run-trigger.ts";
import type { Step, Trigger as TriggerData } from "../trigger/trigger.ts";
import { triggers } from "../trigger/triggers.ts";

const TIMEOUT_SECONDS = 30n;

const stepColumns: Column<Step>[] = [
  { title: "STEP", value: ({ name }) => name },
  { title: "CALL", value: ({ call }) => call },
  { title: "WHAT FOR", value: ({ why }) => why, cut: true },
];

const listColumns: Column<[type: string, trigger: TriggerData]>[] = [
  { title: "EVENT", value: ([type]) => type },
  { title: "MOVES THE CLOCK", value: ([, { steps }]) => (steps.some(movesClock) ? "yes" : "no") },
  { title: "STEPS", value: ([, { steps }]) => steps.map(({ name }) => name).join(", "), cut: true },
];

function movesClock({ call }: Step): boolean {
  return call === "TenantService.AdvanceClock";
}

export default class Trigger extends ClientCommand {
  static override summary = "Make an event happen, by the calls that make it happen in life.";
  static override description =
    `Nothing is faked: a customer is made, subscribed and billed, or a receiver fails, and the event that comes of it is sent like every other. An invoice comes when its period ends, so the clock is moved there, for the whole tenant. Test tenants only.

--set changes what the calls say, as STEP.FIELD=VALUE; --explain shows the steps and their fields. --dry-run prints the calls as JSON and makes none. The events of endpoints and deliveries need a server that reaches this machine, as the emulator does.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> invoice.finalized",
    "<%= config.bin %> <%= command.id %> invoice.paid --set customer.customer.id=user_123 --set usage.events[0].amount=5",
    "<%= config.bin %> <%= command.id %> --list",
    "<%= config.bin %> <%= command.id %> subscription.changed --explain",
  ];
  static override args = { event: Args.string({ description: "Type of the event, such as invoice.finalized." }) };
  static override flags = {
    set: Flags.string({
      description: "Another value in a call, such as customer.customer.name=Ada. May be given more than once.",
      helpValue: "STEP.FIELD=VALUE",
      multiple: true,
    }),
    list: Flags.boolean({ description: "Show the events that can be triggered.", exclusive: ["explain", "dry-run"] }),
    explain: Flags.boolean({ description: "Show what it does, and do nothing.", exclusive: ["dry-run"] }),
    "dry-run": Flags.boolean({ description: "Print the calls as JSON, and make none." }),
    timeout: spanFlag({ description: "How long each step, and the event, may take. Default: 30s." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Trigger);
    if (flags.list) return this.tellList();
    const type = args.event ?? "";
    const trigger = overridden(triggerOf(type), flags.set ?? []);
    if (flags.explain) return this.explain(type, trigger);
    if (flags["dry-run"]) return this.dryRun(type, trigger);
    const settings = await this.settings(flags);
    if (settings.apiKey.startsWith("uf_live_")) {
      throw new CliError("failed_precondition", "this key is of a live tenant, and what is triggered is real", {
        hint: "Use a key of the test tenant.",
      });
    }
    const event = await runTrigger({
      transport: connect(settings),
      type,
      trigger,
      timeoutMs: Number(flags.timeout ?? TIMEOUT_SECONDS) * 1000,
      onStep: ({ name, why }) => this.say(`${name}: ${why}`),
    });
    this.answerOne(EventSchema, event, () =>
      facts({
        Event: event.id,
        Type: event.type,
        Occurred: `${time(event.occurredAt)} UTC`,
        Customer: event.customerId,
      }),
    );
  }

  private tellList(): void {
    const all = Object.entries(triggers);
    this.answer(
      () => ({
        triggers: all.map(([type, { steps }]) => ({
          type,
          movesClock: steps.some(movesClock),
          steps: steps.map(({ name }) => name),
        })),
      }),
      () => table(listColumns, all),
    );
  }

  private explain(type: string, { steps, cleanup = [] }: TriggerData): void {
    const all = [...steps, ...cleanup];
    this.answer(
      () => ({ type, steps: all.map(({ name, call, why, request }) => ({ name, call, why, request })) }),
      () =>
        [table(stepColumns, all), "", "What --set may change:", ...settable(steps).map((line) => `  ${line}`)].join(
          "\n",
        ),
    );
  }

  private dryRun(type: string, { steps, cleanup = [] }: TriggerData): void {
    const calls = [...steps, ...cleanup].map(({ name, call, request }) => ({ name, call, request }));
    this.answer(
      () => ({ type, calls }),
      () => JSON.stringify({ type, calls }, null, 2),
    );
  }
}

/** The values that stand in the requests, with their paths. */
function settable(steps: readonly Step[]): string[] {
  const lines = (value: unknown, path: string): string[] => {
    if (typeof value !== "object" || value === null) return [`${path}=${value}`];
    const isList = Array.isArray(value);
    return Object.entries(value).flatMap(([name, each]) =>
      lines(each, isList ? `${path}[${name}]` : `${path}.${name}`),
    );
  };
  return steps.flatMap(({ name, request }) => lines(request, name));
}

function triggerOf(type: string): TriggerData {
  const known = Object.keys(triggers);
  if (Object.hasOwn(triggers, type)) return triggers[type as keyof typeof triggers];
  const what = type === "" ? "no event was named" : `there is no event "${type}"`;
  const near = type === "" ? "" : `Did you mean ${closest(type, known)}? `;
  throw new CliError("usage", what, { hint: `${near}See all: usageflow trigger --list` });
}
