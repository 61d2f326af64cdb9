import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import type { Event } from "../../gen/usageflow/v1/event_pb.ts";
import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { CliError } from "../cli-error.ts";
import { startAnsweringReceiver } from "./answering-receiver.ts";
import { callMethod } from "./api-method.ts";
import { resolved, segmentsOf, valueAt } from "./json-path.ts";
import type { Step, Trigger } from "./trigger.ts";

const POLL_MS = 50;
const PAGE_SIZE_MAX = 1_000;

export interface TriggerOptions {
  transport: Transport;
  type: string;
  trigger: Trigger;
  /** How long one step, or the event after the last one, may take. */
  timeoutMs: number;
  /** Told of each step before it is done. */
  onStep: (step: Step) => void;
}

/** Makes the calls, and answers the event that came of them. */
export async function runTrigger(options: TriggerOptions): Promise<Event> {
  const { transport, trigger } = options;
  await using undo = new AsyncDisposableStack();
  const receiver = await startAnsweringReceiver();
  undo.defer(() => receiver.close());
  const known: Record<string, JsonValue> = { receiver: receiver.url };
  if (JSON.stringify(trigger).includes("{run}")) known.run = String(await nextRun(transport));
  const before = await eventsOf(options, "");
  try {
    for (const step of trigger.steps) {
      options.onStep(step);
      known[step.name] = await takeStep(options, step, known);
    }
    const customer = valueAt(known, ["customer", "customer", "id"]);
    return await newEvent(options, typeof customer === "string" ? customer : "", new Set(before.map(({ id }) => id)));
  } finally {
    for (const step of trigger.cleanup ?? []) await takeStep(options, step, known).catch(() => {});
  }
}

async function takeStep(options: TriggerOptions, step: Step, known: Record<string, JsonValue>): Promise<JsonObject> {
  const { transport, trigger, timeoutMs } = options;
  const lookUp = (reference: string): JsonValue => {
    const found = valueAt(known, segmentsOf(reference));
    if (found !== undefined) return found;
    const [name = ""] = reference.split(/[.[]/);
    const hint = trigger.steps.find((one) => one.name === name)?.hint ?? "";
    throw new CliError("failed_precondition", `step "${step.name}" needs ${reference}, and there is none`, { hint });
  };
  const request = resolved(step.request, lookUp) as JsonObject;
  for (const began = performance.now(); ; await sleep(POLL_MS)) {
    const answer = await callMethod(transport, step.call, request);
    checkUsage(step, answer);
    if (!step.until) return answer;
    if (valueAt(answer, segmentsOf(step.until.path)) === step.until.is) return answer;
    if (performance.now() - began > timeoutMs) throw late(`step "${step.name}" was not done`, timeoutMs);
    if (step.meanwhile) {
      await callMethod(transport, step.meanwhile.call, resolved(step.meanwhile.request, lookUp) as JsonObject);
    }
  }
}

/** Usage that is rejected is no error of the call. */
function checkUsage(step: Step, answer: JsonObject): void {
  if (step.call !== "UsageService.TrackUsage") return;
  for (const result of answer.results as { outcome: string; message: string; field: string; reason: string }[]) {
    if (result.outcome === "USAGE_OUTCOME_ACCEPTED") continue;
    const { message, field } = result;
    throw new CliError("failed", `step "${step.name}": ${message || result.outcome}`, { field });
  }
}

/** The event that was not there before. */
async function newEvent(options: TriggerOptions, customerId: string, before: ReadonlySet<string>): Promise<Event> {
  for (const began = performance.now(); ; await sleep(POLL_MS)) {
    const found = (await eventsOf(options, customerId)).findLast(({ id }) => !before.has(id));
    if (found) return found;
    if (performance.now() - began > options.timeoutMs) throw late(`no ${options.type} came of it`, options.timeoutMs);
  }
}

async function eventsOf({ transport, type }: TriggerOptions, customerId: string): Promise<Event[]> {
  const webhooks = createClient(WebhookService, transport);
  return (await webhooks.listEvents({ eventTypes: [type], customerId, pageSize: PAGE_SIZE_MAX })).events;
}

/** A number for which there is no customer of a trigger: the first after all that there are. */
async function nextRun(transport: Transport): Promise<number> {
  const tenants = createClient(TenantService, transport);
  const isTaken = async (run: number) => {
    try {
      await tenants.getCustomer({ id: `trigger_${run}` });
      return true;
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.NotFound) return false;
      throw error;
    }
  };
  let free = 1;
  while (await isTaken(free)) free *= 2;
  for (let taken = Math.floor(free / 2); free - taken > 1; ) {
    const middle = Math.floor((taken + free) / 2);
    if (await isTaken(middle)) taken = middle;
    else free = middle;
  }
  return free;
}

function late(what: string, ms: number): CliError {
  return new CliError("deadline_exceeded", `${what} within ${ms / 1000} s`, {
    hint: "Do the server's workers run? --timeout waits longer.",
  });
}
