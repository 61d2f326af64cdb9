import { migrate } from "../../server/db/migrate.ts";
import { DatabaseCommand } from "../database-command.ts";
import { ownerUrlFlag, ownerUrlOf } from "../database-url.ts";
import { count } from "../output/text.ts";

export default class Migrate extends DatabaseCommand {
  static override summary = "Bring the database's schema up to date.";
  static override description =
    "Runs the migrations that the database does not have yet, all of them or none. Run again, it changes nothing. Servers may be at work: a lock that is not had within 3 seconds is let go and asked for again, for some minutes.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --owner-url postgres://owner@localhost/usageflow",
    "USAGEFLOW_OWNER_DATABASE_URL=postgres://owner@localhost/usageflow <%= config.bin %> <%= command.id %> --json",
  ];
  static override flags = { "owner-url": ownerUrlFlag };

  override async run(): Promise<void> {
    const { flags } = await this.parse(Migrate);
    const onLockNotHad = () => this.say("A table is held by a long transaction: waiting for it.");
    const migrations = await migrate(ownerUrlOf(flags), { onLockNotHad });
    this.answer(
      () => ({ migrations }),
      () => migrations.join("\n"),
    );
    this.say(migrations.length > 0 ? `Ran ${count(migrations.length, "migration")}.` : "The schema is up to date.");
  }
}
