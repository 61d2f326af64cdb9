import { BaseCommand } from "../../base-command.ts";
import type { Emulator, EmulatorOptions } from "../../emulator/emulator.ts";
import type { DeliveryNote } from "../../emulator/emulator-log.ts";
import { emulatorFlags, optionsOf } from "../../emulator/flags.ts";
import { startUnlessStopped } from "../../emulator/start-unless-stopped.ts";
import { removeLocator, writeLocator } from "../../locator.ts";
import { facts } from "../../output/table.ts";
import { printable } from "../../output/text.ts";
import { stopped, stopSignal } from "../../stop-signal.ts";

type StartOptions = Omit<EmulatorOptions, "listeners">;

export default class EmulatorStart extends BaseCommand {
  static override summary = "Run UsageFlow on this machine, with a database of its own and a clock that you can move.";
  static override description =
    `The same server as in production, offline, with a test tenant. The other commands find it by themselves while it runs; of several, the one that was started last.

Webhooks that it sends are shown as they go. With --json the first line is {"type":"ready","url":...,"apiKey":...,"webhookSecret":...}, and each webhook is a line {"type":"delivery",...}.

Ctrl-C stops it, and leaves nothing behind but the folder of --data. With --data the key and the webhook secret stay the same over restarts.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --clock 2015-05-21T00:00:00Z --catalog catalog.yaml --forward-to http://localhost:4000/webhooks",
    "<%= config.bin %> <%= command.id %> --data .usageflow --json",
  ];
  static override flags = emulatorFlags;

  /** Whether the last delivery found nobody: said once, not with each. */
  private unheard = false;

  override async run(): Promise<void> {
    const { flags } = await this.parse(EmulatorStart);
    const options = await optionsOf(flags);
    const stop = stopSignal(); // from here on: a Ctrl-C while it starts must not leave a database behind
    const listeners = {
      onDelivery: (note: DeliveryNote) => this.tellDelivery(note, options.forwardTo),
      onTrouble: (words: string) => this.say(words),
    };
    const emulator = await startUnlessStopped({ ...options, listeners }, stop);
    try {
      const { url, apiKey } = emulator;
      await writeLocator({ url, apiKey, pid: process.pid, startedAt: new Date().toISOString() }).catch((error) =>
        this.say(`Other commands will not find it by themselves: ${error.message}`),
      );
      this.tellReady(emulator, options);
      await stopped(stop);
    } finally {
      await removeLocator(process.pid);
      await emulator.close();
    }
  }

  private tellReady({ url, apiKey, webhookSecret }: Emulator, options: StartOptions): void {
    if (options.port !== 0 && !url.endsWith(`:${options.port}`)) {
      this.say(`Port ${options.port} is taken. It listens on a free one: ${url}\n`);
    }
    if (this.jsonEnabled()) {
      this.print(JSON.stringify({ type: "ready", url, apiKey, webhookSecret }));
      return;
    }
    this.print(
      facts({
        URL: url,
        "API key": apiKey,
        "Webhook secret": webhookSecret,
        "Webhooks go to": options.forwardTo ?? "nowhere (--forward-to URL, or endpoints create)",
        Data: options.data ?? "thrown away at the end (--data DIR keeps it)",
      }),
    );
    this.say(whatToTry(url, apiKey, options.catalog?.catalog.metrics[0]?.key));
  }

  private tellDelivery(note: DeliveryNote, forwardTo: string | undefined): void {
    if (this.jsonEnabled()) {
      this.print(JSON.stringify({ type: "delivery", ...note }));
      return;
    }
    const went = note.error ? `failed: ${printable(note.error)}` : `${note.status}  ${note.durationMs} ms`;
    this.print(`${note.at.slice(11, 19)}  ${note.eventType}  ${note.eventId}  ${went}`);
    if (note.status === 0 && forwardTo && !this.unheard) {
      this.say(`Does your receiver run on ${forwardTo}? Deliveries are tried again.`);
    }
    this.unheard = note.status === 0;
  }
}

function whatToTry(url: string, apiKey: string, metric: string | undefined): string {
  return `
It is ready. Try, in another terminal:

  export USAGEFLOW_URL=${url} USAGEFLOW_API_KEY=${apiKey}
${metric ? "" : "  usageflow catalog push catalog.yaml\n"}\
  curl $USAGEFLOW_URL/api/track -H "content-type: application/json" \\
    -H "x-usageflow-api-key: $USAGEFLOW_API_KEY" \\
    -d '{"metric":"${metric ?? "API_CALL"}","amount":1000,"customerId":"user_123"}'
  usageflow clock advance --by 31d
  usageflow invoices list

Ctrl-C stops it.
`;
}
