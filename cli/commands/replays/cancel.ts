import { Args } from "@oclif/core";
import { type Replay, ReplaySchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { replayText } from "../../output/replay.ts";

export default class ReplaysCancel extends ClientCommand {
  static override summary = "Stop a replay of deliveries.";
  static override description =
    "What it has handed over is sent, the rest stays as it is. One that is over stays as it is.";
  static override examples = ["<%= config.bin %> <%= command.id %> rpl_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = {
    replay: Args.string({ required: true, description: "Its id (rpl_...), from replays list." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(ReplaysCancel);
    const service = await this.client(WebhookService, flags);
    const replay = (await service.cancelReplay({ id: args.replay })).replay as Replay;
    this.answerOne(ReplaySchema, replay, () => replayText(replay));
  }
}
