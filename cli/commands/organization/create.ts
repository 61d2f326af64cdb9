import { Args, Flags } from "@oclif/core";
import { CreateOrganizationResponseSchema, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { facts } from "../../output/table.ts";

export default class OrganizationCreate extends ClientCommand {
  static override summary = "Make an organization on a server, as its operator, and show its keys once.";
  static override description =
    "An organization has a live tenant and a test tenant; each API key is its tenant's owner. The access token is that of the first owner, who invites the others. The server has the operator's key in USAGEFLOW_OPERATOR_KEY; on the machine of the database itself, usageflow init does the same without one. Where there is an organization of this name already, --another has to say that a second one is meant.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> Acme --owner ada@example.com --url https://billing.example.com",
  ];
  static override args = { name: Args.string({ required: true, description: "Its name." }) };
  static override flags = {
    owner: Flags.string({ description: "Address of its first owner.", required: true }),
    another: Flags.boolean({ description: "Make it even if there is one of this name." }),
    "operator-key": Flags.string({
      description: "The operator's key.",
      env: "USAGEFLOW_OPERATOR_KEY",
    }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(OrganizationCreate);
    const apiKey = flags["operator-key"];
    if (!apiKey) {
      const hint = "Give it with --operator-key or USAGEFLOW_OPERATOR_KEY.";
      throw new CliError("unauthenticated", "no operator's key", { hint });
    }
    const service = await this.clientWith(apiKey, TenantService, flags);
    const made = await service.createOrganization({
      name: args.name,
      ownerEmail: flags.owner,
      another: flags.another,
    });
    this.answerOne(CreateOrganizationResponseSchema, made, () =>
      facts({
        Organization: made.organization?.name ?? "",
        Id: made.organization?.id ?? "",
        "Live key": made.liveKey,
        "Test key": made.testKey,
        Owner: made.owner?.email ?? "",
        "Access token": made.ownerToken,
      }),
    );
    this.say("Keep the keys and the token now: they are not shown again.");
  }
}
