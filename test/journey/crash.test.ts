import { createReadStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toJsonString } from "@bufbuild/protobuf";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { createPlace } from "../cli/run-cli.ts";
import { ACCESS_LOG, hasAccessLog } from "../support/access-log.ts";
import { catalog } from "../support/catalog.ts";
import { createClients } from "../support/clients.ts";
import { startReceiver } from "../support/receiver.ts";
import { ended } from "../support/usageflow.ts";

// The journey of the first issue as a person does it, with the real command, and a SIGKILL in the middle.

describe.runIf(hasAccessLog)("the access log by way of the command", () => {
  test("survives a SIGKILL half-way: the same import again, the same totals, and every webhook verified", async () => {
    const receiver = await startReceiver();
    const { folder, run, start, startEmulator } = await createPlace();
    const file = join(folder, "catalog.json");
    await writeFile(file, toJsonString(CatalogSchema, catalog));
    const flags = ["--data", join(folder, "data"), "--catalog", file, "--forward-to", receiver.url];
    const answered = async (...args: string[]) => {
      const { code, stdout } = await run([...args, "--json"]);
      return { code, json: JSON.parse(stdout || "null") };
    };
    const first = await startEmulator(...flags, "--clock", "2015-05-21T00:00:00Z");

    // Half of the log goes in and the import is still at it when the server is killed.
    const half = start(["usage", "import", "-", "--json"]);
    createReadStream(ACCESS_LOG, { end: 2_000_000 }).pipe(half.stdin, { end: false });
    half.stdin.on("error", () => {});
    const { tenant } = createClients(first.ready.url, first.ready.apiKey);
    for (let known = 0; known < 300; ) known = (await tenant.listCustomers({ pageSize: 1_000 })).customers.length;
    half.kill("SIGKILL");
    await Promise.all([first.stop("SIGKILL"), ended(half)]);

    const second = await startEmulator(...flags);
    expect(second.ready).toMatchObject({ apiKey: first.ready.apiKey, webhookSecret: first.ready.webhookSecret });
    const again = await answered("usage", "import", ACCESS_LOG);
    expect(again).toMatchObject({ code: 0, json: { conflict: 0, rejected: 0 } });
    expect(again.json.duplicate).toBeGreaterThan(0);
    expect(again.json.accepted + again.json.duplicate).toBe(20_000);
    expect((await answered("clock", "advance", "--to", "2015-06-02T00:00:00Z")).code).toBe(0);

    const { json } = await answered("invoices", "list", "--all");
    expect(totalsOf(json.invoices)).toEqual({ invoices: 1_753, total: 3_561_171, calls: 16_993, egress: 38_178 });
    const numbers = json.invoices.map((one: { number: string }) => one.number).sort();
    expect([numbers[0], new Set(numbers).size, numbers.at(-1)]).toEqual(["INV-000001", 1_753, "INV-001753"]);

    const { webhook } = createClients(second.ready.url, second.ready.apiKey);
    for (let pending = 1; pending > 0; ) pending = (await webhook.listDeliveries({ state: 1 })).deliveries.length;
    const verifier = new Webhook(second.ready.webhookSecret);
    const finalized = new Map<string, string>();
    for (const { headers, body } of receiver.got) {
      verifier.verify(body, headers);
      const event = JSON.parse(body);
      if (event.type !== "invoice.finalized") continue;
      // Sent again after a crash it may be; then as the same event with the same body.
      expect(finalized.get(headers["webhook-id"] as string) ?? body).toBe(body);
      finalized.set(headers["webhook-id"] as string, body);
    }
    expect(finalized.size).toBe(1_753);
    expect(await second.stop("SIGTERM")).toBe(0);
    expect(await readFile(join(folder, "data", "postgres", "postmaster.pid")).catch(() => "gone")).toBe("gone");
  });
});

test.skipIf(hasAccessLog)(
  "the access log is missing: ../shared/data was not found, and no crash was tried on it",
  () => {},
);

interface InvoiceJson {
  totalMinor: string;
  lines: { priceKey: string; amountMinor: string }[];
}

function totalsOf(invoices: InvoiceJson[]) {
  const sumOf = (key: string) =>
    invoices
      .flatMap((invoice) => invoice.lines)
      .filter((line) => line.priceKey === key)
      .reduce((sum, line) => sum + Number(line.amountMinor), 0);
  const total = invoices.reduce((sum, invoice) => sum + Number(invoice.totalMinor), 0);
  return { invoices: invoices.length, total, calls: sumOf("calls"), egress: sumOf("egress") };
}
