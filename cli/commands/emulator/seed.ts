import { Args } from "@oclif/core";
import { BaseCommand } from "../../base-command.ts";
import { connect } from "../../client.ts";
import { findEmulator } from "../../emulator/control.ts";
import { nameFlag } from "../../emulator/name-flag.ts";
import { readSeedFile, sow } from "../../emulator/seed.ts";
import { count } from "../../output/text.ts";

export default class EmulatorSeed extends BaseCommand {
  static override summary = "Put customers, subscriptions and usage from a file into a running emulator.";
  static override description =
    `The file is YAML or JSON: "catalog", "customers", "subscriptions" and "usage", each of them left out or not, with the fields of the API:

  customers:
    - { id: user_1, name: Ada Lovelace }
  subscriptions:
    - { customerId: user_1, plan: pro, startAt: 2015-05-01 }
  usage:
    - { customerId: user_1, metric: API_CALL, amount: 1000, occurredAt: 2015-05-20T10:00:00Z, idempotencyKey: request-1 }

What the file cannot mean is told with its line before anything is done. The parts are done in this order, by the calls that an application makes; the first that is refused ends it. Usage with an idempotency key is counted once, however often it is sown. \`emulator start --seed\` does the same to a new tenant, and again after \`emulator reset\`.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> seed.yaml",
    "<%= config.bin %> <%= command.id %> - < seed.json",
  ];
  static override args = {
    file: Args.string({ description: "The seed file, YAML or JSON; - for stdin.", required: true }),
  };
  static override flags = { name: nameFlag };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EmulatorSeed);
    const seed = await readSeedFile(args.file);
    const emulator = await findEmulator(flags.name, (words) => this.say(words));
    const seeded = await sow(seed, connect(emulator));
    this.answer(
      () => seeded,
      () =>
        `Sown: ${count(seeded.customers, "customer")}, ${count(seeded.subscriptions, "subscription")}, ${count(seeded.usage, "usage event")}.`,
    );
  }
}
