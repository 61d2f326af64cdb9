import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { Code, ConnectError } from "@connectrpc/connect";
import { Flags } from "@oclif/core";
import { type ListenReady, WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { CliError } from "../cli-error.ts";
import { ClientCommand } from "../client-command.ts";
import { forwardHint } from "../listen/forward-hint.ts";
import type { Forwarded } from "../listen/forwarder.ts";
import { localUrl } from "../listen/local-url.ts";
import { type ListenerEnd, runListener } from "../listen/run-listener.ts";
import { forwardedJson, forwardedLine, whatNext } from "../output/forwarded.ts";
import { facts } from "../output/table.ts";
import { count, printable } from "../output/text.ts";
import { stopSignal } from "../stop-signal.ts";
import { spanFlag } from "../time.ts";

const NAME_MAX = 255;

export default class Listen extends ClientCommand {
  static override summary = "Forward events to a server on this machine, as they happen.";
  static override description =
    `Each event is POSTed as to any endpoint, signed with a secret of the listener's own, and what your server answers is in the log: deliveries list. What is not answered with a 2xx is tried again. Nothing is lost while it is away: after a disconnect, a laptop's sleep or a new start it goes on where it stopped. A listener that nobody used for a day is deleted.

With --until or --count it ends when that was forwarded and taken; with --timeout it fails, with exit code 7, when it was not.

With --json each line is an object: {"type":"ready",...}, {"type":"event",...} or {"type":"reconnecting",...}.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --forward-to http://localhost:4000/webhooks",
    "<%= config.bin %> <%= command.id %> --forward-to http://localhost:4000/webhooks --events 'invoice.*,customer.created' --ordered",
    "<%= config.bin %> <%= command.id %> --forward-to http://localhost:4000/webhooks --until invoice.finalized --timeout 30s --json",
  ];
  static override flags = {
    "forward-to": Flags.string({
      required: true,
      helpValue: "URL",
      description: "Where your server takes webhooks.",
    }),
    events: Flags.string({
      multiple: true,
      delimiter: ",",
      helpValue: "TYPES",
      description: "Only these types, such as invoice.*, with commas between them. Default: all.",
    }),
    ordered: Flags.boolean({
      description: "Forward a customer's events one after the other: each when the one before was taken or given up.",
    }),
    until: Flags.string({ helpValue: "TYPE", description: "End when an event of this type was taken." }),
    count: Flags.integer({ min: 1, description: "End when this many events were taken." }),
    timeout: spanFlag({ description: "Fail when --until or --count is not reached in this time, such as 30s." }),
    name: Flags.string({
      description:
        "Name of the listener: who starts again under it goes on where it stopped. Default: this machine and the URL; with --until or --count one that is deleted at the end.",
    }),
    "from-now": Flags.boolean({ description: "Give up what happened while nobody listened." }),
    "take-over": Flags.boolean({ description: "Take the listener from whoever has it." }),
    "allow-remote": Flags.boolean({ description: "Forward to another machine, too." }),
  };

  /** What was said last about a failure: said once, not with each. */
  private hinted = "";

  override async run(): Promise<void> {
    const { flags } = await this.parse(Listen);
    const isBounded = flags.until !== undefined || flags.count !== undefined;
    if (flags.timeout !== undefined && !isBounded) throw new CliError("usage", "--timeout needs --until or --count");
    const url = localUrl(flags["forward-to"], flags["allow-remote"]);
    const settings = await this.settings(flags);
    const client = `${hostname()} ${process.pid} ${randomBytes(3).toString("hex")}`;
    const place = url.replace(/^https?:\/\//, "");
    const name = flags.name ?? (isBounded ? `${client} ${place}` : `${hostname()} ${place}`).slice(0, NAME_MAX);
    const listening = runListener({
      ...{ settings, url, name, client },
      eventTypes: flags.events ?? [],
      ordered: flags.ordered,
      takeOver: flags["take-over"],
      fromNow: flags["from-now"],
      until: flags.until,
      count: flags.count,
      timeoutMs: flags.timeout === undefined ? undefined : Number(flags.timeout) * 1_000,
      stop: stopSignal(),
      onReady: (ready, again) => this.tellReady(ready, url, again),
      onForwarded: (forwarded) => this.tellForwarded(forwarded, url),
      onBreak: (why, waitMs) => this.tellBreak(why, waitMs),
    });
    const end = await listening.catch((error) => {
      throw isTakenListener(error) ? taken(error) : error;
    });
    if (isBounded && flags.name === undefined && end.endpointId) {
      const service = await this.client(WebhookService, flags);
      await service.deleteEndpoint({ id: end.endpointId }).catch(() => {}); // else it goes within a day
    }
    tellEnd(end, flags.count);
  }

  private tellReady({ endpoint, secret, waitingCount }: ListenReady, url: string, again: boolean): void {
    const name = endpoint?.listenerName ?? "";
    const waiting = Number(waitingCount);
    if (this.jsonEnabled()) {
      this.print(JSON.stringify({ type: "ready", name, endpointId: endpoint?.id, forwardTo: url, secret, waiting }));
      return;
    }
    const waited = waiting > 0 ? ` ${count(waiting, "event")} waited.` : "";
    if (!again) this.say(facts({ Listener: name, Secret: secret, "Forwards to": url }));
    this.say(again ? `Connected again.${waited}` : `Ready.${waited}\n`);
  }

  private tellForwarded(forwarded: Forwarded, url: string): void {
    const hint = forwardHint(forwarded.answer, url);
    const now = new Date();
    if (this.jsonEnabled()) {
      this.print(JSON.stringify(forwardedJson(forwarded, hint, now)));
      return;
    }
    this.print(forwardedLine(forwarded, now));
    if (hint) this.say(`  ${hint === this.hinted ? "" : `${hint} `}${whatNext(forwarded)}`.trimEnd());
    this.hinted = hint;
  }

  private tellBreak(why: string, waitMs: number): void {
    if (this.jsonEnabled()) this.print(JSON.stringify({ type: "reconnecting", why: printable(why), waitMs }));
    else this.say(`The connection is lost: ${printable(why)}. ${waitMs > 0 ? "Trying again." : "Connecting again."}`);
  }
}

/** Whether another client has the listener. */
function isTakenListener(error: unknown): error is ConnectError {
  return error instanceof ConnectError && error.code === Code.AlreadyExists;
}

function taken(error: ConnectError): CliError {
  const hint = "Take it with --take-over, or listen under another --name: each gets all events.";
  return new CliError("already_exists", printable(error.rawMessage), { reason: "ALREADY_EXISTS", hint }, error);
}

/** Ends with the exit code of what happened. */
function tellEnd({ why, taken }: ListenerEnd, wanted: number | undefined): void {
  const done =
    wanted === undefined ? `${count(taken, "event")} came before` : `${taken} of ${count(wanted, "event")} came`;
  if (why === "late") throw new CliError("deadline_exceeded", `timed out: ${done}`);
  if (why === "stopped") throw new CliError("interrupted", `stopped after ${count(taken, "event")}`);
}
