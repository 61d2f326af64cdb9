import { durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { Flags } from "@oclif/core";
import { AttemptSchema, DeliverySchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import {
  type TailAttempt,
  type TailDeliveriesResponse,
  WebhookService,
} from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { statusClassOf, statusFlag } from "../../deliveries/status-flag.ts";
import { longStream } from "../../listen/long-stream.ts";
import { exchangeLine, statusWord } from "../../output/forwarded.ts";
import { bare } from "../../output/json.ts";
import { count, printable } from "../../output/text.ts";
import { stopSignal } from "../../stop-signal.ts";

export default class DeliveriesTail extends ClientCommand {
  static override summary = "Show attempts at deliveries as they are made.";
  static override description =
    `Each POST of each endpoint is a line: when, which event, which delivery, how it was answered, how long it took. More about one: deliveries show ID. After a disconnect it goes on where it stopped.

With --json each line is an object: {"type":"ready",...}, {"type":"attempt",...} or {"type":"reconnecting",...}. The cursor of an object is where --cursor goes on from.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --status 5xx --type 'invoice.*' --last 100",
    "<%= config.bin %> <%= command.id %> --endpoint whe_01K0J1ZD8Q5x2nS7mXvTf3 --json",
  ];
  static override flags = {
    endpoint: Flags.string({ description: "Only to this endpoint (whe_...)." }),
    type: Flags.string({
      description: "Only of this event type, such as invoice.* (may be repeated).",
      multiple: true,
    }),
    customer: Flags.string({ description: "Only of events about this customer." }),
    status: statusFlag({ description: "Only those that were answered so." }),
    last: Flags.integer({
      description: "Begin with this many that were made before.",
      default: 10,
      min: 0,
      max: 1_000,
    }),
    cursor: Flags.string({ description: "Go on from this place.", exclusive: ["last"] }),
    count: Flags.integer({ description: "End after this many.", min: 1 }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(DeliveriesTail);
    const settings = await this.settings(flags);
    const stop = stopSignal();
    const end = new AbortController();
    stop.addEventListener("abort", () => end.abort(), { once: true });
    let cursor = flags.cursor ?? "";
    const filter = {
      endpointId: flags.endpoint ?? "",
      eventTypes: flags.type ?? [],
      customerId: flags.customer ?? "",
      statusClass: statusClassOf(flags.status),
      last: flags.last,
    };
    const stream = longStream<TailDeliveriesResponse>({
      settings,
      stop: end.signal,
      open: (transport, signal) =>
        createClient(WebhookService, transport).tailDeliveries({ ...filter, cursor }, { signal, timeoutMs: 0 }),
      onBreak: (why, waitMs) => this.tellBreak(why, waitMs),
    });
    let seen = 0;
    for await (const { message, cursor: place } of stream) {
      if (message.case === "ready") this.tellReady(cursor !== "" && cursor !== flags.cursor, place);
      cursor = place;
      if (message.case !== "attempt" || end.signal.aborted) continue;
      this.tellAttempt(message.value, place);
      if (++seen === flags.count) end.abort();
    }
    if (stop.aborted) throw new CliError("interrupted", `stopped after ${count(seen, "attempt")}`);
  }

  private tellReady(again: boolean, cursor: string): void {
    if (this.jsonEnabled()) this.print(JSON.stringify({ type: "ready", cursor }));
    else this.say(again ? "Connected again." : "Ready.");
  }

  private tellAttempt({ delivery, attempt }: TailAttempt, cursor: string): void {
    if (!delivery || !attempt?.sentAt || !attempt.duration) return;
    if (this.jsonEnabled()) {
      const told = { delivery: bare(DeliverySchema, delivery), attempt: bare(AttemptSchema, attempt) };
      this.print(JSON.stringify({ type: "attempt", ...told, cursor }));
      return;
    }
    const status = statusWord(attempt.status, attempt.errorKind);
    const at = timestampDate(attempt.sentAt);
    this.print(exchangeLine(at, delivery.eventType, delivery.id, status, durationMs(attempt.duration)));
  }

  private tellBreak(why: string, waitMs: number): void {
    if (this.jsonEnabled()) this.print(JSON.stringify({ type: "reconnecting", why: printable(why), waitMs }));
    else this.say(`The connection is lost: ${printable(why)}. Connecting again.`);
  }
}
