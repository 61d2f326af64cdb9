import { type Customer, CustomerSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import type { Column } from "../../output/table.ts";
import { time } from "../../output/text.ts";
import { listFlags, readPages } from "../../pages.ts";

const columns: Column<Customer>[] = [
  { title: "CUSTOMER", value: (customer) => customer.id, cut: "last" },
  { title: "NAME", value: (customer) => customer.name, cut: true },
  { title: "FIRST SEEN", value: (customer) => time(customer.createdAt), spare: true },
];

export default class CustomersList extends ClientCommand {
  static override summary = "List customers by id.";
  static override description = "A customer exists from the first usage that names it.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --all --json",
  ];
  static override flags = listFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(CustomersList);
    const service = await this.client(TenantService, flags);
    const found = await readPages(
      flags,
      (page) => service.listCustomers(page),
      (answer) => answer.customers,
    );
    this.answerList("customers", CustomerSchema, found, columns);
  }
}
