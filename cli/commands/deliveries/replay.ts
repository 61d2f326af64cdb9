import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import { Flags } from "@oclif/core";
import { DeliveryState, type Replay, ReplaySchema, ReplayState } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { CreateReplayResponseSchema, WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { stoppedWords } from "../../endpoints/sending-words.ts";
import { createProgress } from "../../output/progress.ts";
import { replayText } from "../../output/replay.ts";
import { timeFlag } from "../../time.ts";

const POLL_MS = 250;

const STATES = {
  failed: DeliveryState.FAILED,
  pending: DeliveryState.PENDING,
  delivered: DeliveryState.DELIVERED,
  skipped: DeliveryState.SKIPPED,
};

export default class DeliveriesReplay extends ClientCommand {
  static override summary = "Send many deliveries of an endpoint again: those that failed, or others.";
  static override description =
    "It runs on the server, gives way to live deliveries, and needs no terminal: --watch waits until all were handed over to be sent, and interrupting it stops only the watching. Any number may be replayed.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --endpoint whe_01K0J1ZD8Q5x2nS7mXvTf3 --dry-run",
    "<%= config.bin %> <%= command.id %> --endpoint whe_01K0J1ZD8Q5x2nS7mXvTf3 --from 2015-06-01 --to 2015-06-02 --watch",
    "<%= config.bin %> <%= command.id %> --endpoint whe_01K0J1ZD8Q5x2nS7mXvTf3 --type 'invoice.*' --state delivered",
  ];
  static override flags = {
    endpoint: Flags.string({ required: true, description: "Deliveries of this endpoint (whe_...)." }),
    type: Flags.string({
      description: "Only of this event type, such as invoice.* (may be repeated).",
      multiple: true,
    }),
    state: Flags.option({
      options: ["failed", "pending", "delivered", "skipped"] as const,
      description: "Those in this state (may be repeated). Default: failed.",
      multiple: true,
    })(),
    from: timeFlag({ description: "Only those made then or later." }),
    to: timeFlag({ description: "Only those made before." }),
    "dry-run": Flags.boolean({ description: "Only count them.", exclusive: ["watch"] }),
    watch: Flags.boolean({ description: "Wait until all were handed over." }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(DeliveriesReplay);
    const service = await this.client(WebhookService, flags);
    const answer = await service.createReplay({
      endpointId: flags.endpoint,
      eventTypes: flags.type ?? [],
      deliveryStates: (flags.state ?? []).map((state) => STATES[state]),
      dryRun: flags["dry-run"],
      ...(flags.from && { start: flags.from }),
      ...(flags.to && { end: flags.to }),
    });
    if (!answer.replay) {
      this.answerOne(CreateReplayResponseSchema, answer, () => String(answer.count));
      this.say(`${many(answer.count)} would be sent again.`);
      return;
    }
    const stopped = await stoppedWords(service, flags.endpoint);
    if (stopped) this.say(stopped);
    if (!flags.watch) {
      this.answerOne(ReplaySchema, answer.replay, () => answer.replay?.id ?? "");
      this.say(`${many(answer.count)} to be sent again.`);
      return;
    }
    this.say(`Replay ${answer.replay.id} of ${many(answer.count)}.`);
    const replay = await watched(service, answer.replay);
    this.answerOne(ReplaySchema, replay, () => replayText(replay));
    if (replay.state === ReplayState.CANCELLED) throw new CliError("failed", "the replay was cancelled");
  }
}

function many(n: bigint): string {
  return n === 1n ? "1 delivery" : `${n.toLocaleString("en")} deliveries`;
}

/** The replay when it is over. */
async function watched(service: Client<typeof WebhookService>, made: Replay): Promise<Replay> {
  const progress = createProgress();
  try {
    for (let replay = made; ; await sleep(POLL_MS)) {
      replay = (await service.getReplay({ id: made.id })).replay as Replay;
      if (replay.state !== ReplayState.RUNNING) return replay;
      progress.show(`${replay.doneCount} of ${replay.totalCount}, ${replay.waitingCount} of them on their way`);
    }
  } finally {
    progress.end();
  }
}
