import { Args } from "@oclif/core";
import { type Replay, ReplaySchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { replayText } from "../../output/replay.ts";

export default class ReplaysShow extends ClientCommand {
  static override summary = "Show one replay of deliveries, and how far it is.";
  static override description =
    "Done are those that were handed over to be sent; waiting are those of them that are due and were not sent yet.";
  static override examples = ["<%= config.bin %> <%= command.id %> rpl_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = {
    replay: Args.string({ required: true, description: "Its id (rpl_...), from replays list." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(ReplaysShow);
    const service = await this.client(WebhookService, flags);
    const replay = (await service.getReplay({ id: args.replay })).replay as Replay;
    this.answerOne(ReplaySchema, replay, () => replayText(replay));
  }
}
