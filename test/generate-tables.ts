import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "../cli/emulator/postgres.ts";
import { migrate } from "../server/db/migrate.ts";
import { generateTables } from "./support/tables.ts";

// `npm run gen`: the row types from the migrations, by way of a database that lives as long as this takes.

const folder = await mkdtemp(join(tmpdir(), "usageflow-tables-"));
await chmod(folder, 0o755);
const postgres = await startPostgres({ dataDir: join(folder, "postgres"), durable: false, password: "test" });
try {
  await migrate(postgres.url);
  await generateTables(postgres.url, "server/db/tables.ts");
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
