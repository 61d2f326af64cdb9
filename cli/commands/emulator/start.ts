import { createClient } from "@connectrpc/connect";
import { Flags } from "@oclif/core";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { BaseCommand } from "../../base-command.ts";
import { connect } from "../../client.ts";
import { deliveryLine, failedLines, whyFailed } from "../../emulator/delivery-words.ts";
import { type Emulator, type EmulatorOptions, USUAL_PORT } from "../../emulator/emulator.ts";
import type { DeliveryNote } from "../../emulator/emulator-log.ts";
import { emulatorFlags, optionsOf } from "../../emulator/flags.ts";
import { runEmulator } from "../../emulator/run-emulator.ts";
import { facts } from "../../output/table.ts";
import { time } from "../../output/text.ts";
import { stopped, stopSignal } from "../../stop-signal.ts";

type StartOptions = Omit<EmulatorOptions, "listeners">;

const INTERRUPTED = 130;

export default class EmulatorStart extends BaseCommand {
  static override summary = "Run UsageFlow on this machine, with a database of its own and a clock that you can move.";
  static override description =
    `The same server as in production, offline, with a test tenant. The other commands find it by themselves while it runs: in this folder and below it, or anywhere when no other runs.

Webhooks that it sends are shown as they go. With --json the first line is {"type":"ready","url":...,"apiKey":...,"webhookSecret":...}, and each webhook is a line {"type":"delivery",...}.

Ctrl-C or \`emulator stop\` stops it, and leaves nothing behind but the folder of --data and what --export-on-exit saved. With --data the key and the webhook secret stay the same over restarts.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --example",
    "<%= config.bin %> <%= command.id %> --clock 2015-05-21T00:00:00Z --catalog catalog.yaml --forward-to http://localhost:4000/webhooks",
    "<%= config.bin %> <%= command.id %> --data .usageflow --json",
  ];
  static override flags = {
    ...emulatorFlags,
    name: Flags.string({
      description: "A name of its own. Default: the folder that it is started in, of which there is one at a time.",
      helpValue: "NAME",
    }),
  };

  /** What was said last of a failure: the same is not said with each. */
  private saidLast = "";

  override async run(): Promise<void> {
    const { flags } = await this.parse(EmulatorStart);
    const options = await optionsOf(flags);
    const stop = stopSignal(); // from here on: a Ctrl-C while it starts must not leave a database behind
    const ordered = new AbortController();
    const ready = Promise.withResolvers<Emulator>();
    let telling: Promise<unknown> = ready.promise; // what a seed sets going is told after the first line
    const listeners = {
      onDelivery: (note: DeliveryNote) => {
        telling = telling.then(async () => this.tellDelivery(note, await ready.promise));
      },
      onTrouble: (words: string) => this.say(words),
    };
    const name = flags.name ?? process.cwd();
    const exportOnExit = flags["export-on-exit"];
    const own = { name, hidden: false, exportOnExit, stop, onStop: () => ordered.abort() };
    await runEmulator({ ...options, listeners, ...own }, async (running) => {
      await this.tellReady(running, options);
      ready.resolve(running);
      await stopped(AbortSignal.any([stop, ordered.signal]));
    });
    if (stop.reason === "SIGINT") process.exitCode = INTERRUPTED;
  }

  private async tellReady(emulator: Emulator, options: StartOptions): Promise<void> {
    const { url, apiKey, webhookSecret } = emulator;
    if (options.port === undefined && !url.endsWith(`:${USUAL_PORT}`)) {
      this.say(`Port ${USUAL_PORT} is taken. It listens on a free one; --port takes another.\n`);
    }
    if (this.jsonEnabled()) {
      this.print(JSON.stringify({ type: "ready", url, apiKey, webhookSecret }));
      return;
    }
    const { tenant } = await createClient(TenantService, connect(emulator)).getTenant({});
    this.print(
      facts({
        URL: url,
        "API key": apiKey,
        "Webhook secret": webhookSecret,
        "Webhooks go to": options.forwardTo ?? "nowhere (--forward-to URL, or endpoints create)",
        Clock: tenant?.clock?.frozen
          ? `stands at ${time(tenant.clock.now)} UTC (clock advance)`
          : "runs (--clock TIME lets it stand)",
        Data: options.data ?? "thrown away at the end (--data DIR keeps it)",
        Stop: "Ctrl-C, or: usageflow emulator stop",
      }),
    );
    this.say(whatToTry(options.catalog?.catalog.metrics[0]?.key ?? options.seed?.message.catalog?.metrics[0]?.key));
  }

  private async tellDelivery(note: DeliveryNote, emulator: Emulator): Promise<void> {
    const webhooks = createClient(WebhookService, connect(emulator));
    const failed = note.error ? await whyFailed(webhooks, note).catch(() => undefined) : undefined;
    if (this.jsonEnabled()) {
      this.print(JSON.stringify({ type: "delivery", ...note, ...failed }));
      return;
    }
    this.print(deliveryLine(note));
    if (!failed) {
      if (!note.error) this.saidLast = "";
      return;
    }
    const isNew = failed.hint !== this.saidLast;
    this.saidLast = failed.hint;
    this.say(failedLines(note, isNew ? failed : { ...failed, hint: "" }));
  }
}

function whatToTry(metric: string | undefined): string {
  return `
It is ready. Try, in another terminal:

  eval "$(usageflow emulator env --format shell)"
${metric ? "" : "  usageflow catalog push catalog.yaml\n"}\
  curl $USAGEFLOW_URL/api/track -H "content-type: application/json" \\
    -H "x-usageflow-api-key: $USAGEFLOW_API_KEY" \\
    -d '{"metric":"${metric ?? "API_CALL"}","amount":1000,"customerId":"user_123"}'
  usageflow clock advance --by 31d
  usageflow invoices list

Ctrl-C stops it.
`;
}
