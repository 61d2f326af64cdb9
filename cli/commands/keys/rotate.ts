import { Args } from "@oclif/core";
import { RotateApiKeyResponseSchema, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { madeKeyText } from "../../output/api-key.ts";
import { time } from "../../output/text.ts";
import { spanFlag } from "../../time.ts";

export default class KeysRotate extends ClientCommand {
  static override summary = "Put a new API key in the place of one, and show it once.";
  static override description =
    "The new key has the name, the role and the ranges of the one before, and as long a life. Both work until the overlap ends, so that whoever has the one before learns the new one in time. --overlap 0s ends the one before at once: for a key that leaked.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> key_01K0J1ZD8Q5x2nS7mXvTf3",
    "<%= config.bin %> <%= command.id %> key_01K0J1ZD8Q5x2nS7mXvTf3 --overlap 0s",
  ];
  static override args = { key: Args.string({ required: true, description: "Its id (key_...), from keys list." }) };
  static override flags = {
    overlap: spanFlag({ description: "How long the key before works too, at most 7d. Default: 24h." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(KeysRotate);
    const service = await this.client(TenantService, flags);
    const made = await service.rotateApiKey({
      id: args.key,
      ...(flags.overlap === undefined ? {} : { overlap: { seconds: flags.overlap } }),
    });
    this.answerOne(RotateApiKeyResponseSchema, made, () => madeKeyText(made));
    this.say(
      `Keep the key now: it is not shown again. The one before works until ${time(made.former?.expiresAt)} UTC.`,
    );
  }
}
