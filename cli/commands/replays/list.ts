import { ReplaySchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { replayColumns } from "../../output/replay.ts";
import { listFlags, readPages } from "../../pages.ts";

export default class ReplaysList extends ClientCommand {
  static override summary = "List replays of deliveries, newest first.";
  static override description =
    "A replay sends many deliveries of an endpoint again. One is made with: deliveries replay.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];
  static override flags = listFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(ReplaysList);
    const service = await this.client(WebhookService, flags);
    const found = await readPages(
      flags,
      (page) => service.listReplays(page),
      (answer) => answer.replays,
    );
    this.answerList("replays", ReplaySchema, found, replayColumns);
  }
}
