import { InvoiceService, OpenRevenueSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { GetUsageRateResponseSchema, UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { GetDeliveryActivityResponseSchema, WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../client-command.ts";
import { readOpenRevenue } from "../open-revenue.ts";
import { bare } from "../output/json.ts";
import { overviewText } from "../output/overview.ts";

export default class Overview extends ClientCommand {
  static override summary = "Show how a tenant stands: usage, revenue, webhooks, and what waits.";
  static override description =
    "Usage that came in during the last hour; what open periods come to as of now, before tax and credit; what became of the attempts of the last hour, at most the last 10,000; and how far the workers are behind. `dashboard` shows the same as it changes.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];

  override async run(): Promise<void> {
    const { flags } = await this.parse(Overview);
    const [usage, invoices, webhooks] = await Promise.all([
      this.client(UsageService, flags),
      this.client(InvoiceService, flags),
      this.client(WebhookService, flags),
    ]);
    const rate = await usage.getUsageRate({});
    const activity = await webhooks.getDeliveryActivity({});
    const revenues = await readOpenRevenue(invoices);
    this.answer(
      () => ({
        usage: bare(GetUsageRateResponseSchema, rate),
        openRevenues: revenues.map((revenue) => bare(OpenRevenueSchema, revenue)),
        deliveries: bare(GetDeliveryActivityResponseSchema, activity),
      }),
      () => overviewText({ rate, activity, revenues }),
    );
  }
}
