import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { Flags } from "@oclif/core";
import {
  CustomerSimulationSchema,
  InvoiceService,
  type SimulatePlanRequestSchema,
  type SimulatePlanResponse,
} from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { readPlanOfCatalog } from "../../catalog/plan-source.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { bare } from "../../output/json.ts";
import { createProgress } from "../../output/progress.ts";
import { byDifference, outcomeText, simulationText, totalOf } from "../../output/simulation.ts";
import { count } from "../../output/text.ts";
import { pageFlags, readPages } from "../../pages.ts";
import { timeFlag } from "../../time.ts";

export default class PlansSimulate extends ClientCommand {
  static override summary = "Price the customers' real usage under another plan, and compare.";
  static override description =
    `The plan is published (--plan pro, or an earlier version: --plan pro@2), or stands in a catalog file that need not be: --catalog catalog.yaml --plan pro. Nothing is stored.

Each past period is priced twice, from the same usage: under the version of the plan that the customer was on, and under this one. All prices and minimums count, in arrears and in advance, before discounts, tax and credits. The old side is worked out anew, so it is not what was invoiced where usage came late.

Those who would gain or lose most stand first.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --catalog catalog.yaml --plan pro --against pro",
    "<%= config.bin %> <%= command.id %> --plan team --against pro --from 2015-05-01 --to 2015-06-01",
    "<%= config.bin %> <%= command.id %> --plan pro@2 --customer user_123 --json",
  ];
  static override flags = {
    plan: Flags.string({ description: "Key of the plan; with @ and a version where it is published.", required: true }),
    catalog: Flags.string({
      description: "The catalog file that has the plan, or - for stdin. Default: what is published.",
    }),
    against: Flags.string({ description: "Only periods under this plan. Default: under any." }),
    customer: Flags.string({ description: "Only this customer's." }),
    from: timeFlag({ description: "Only periods that begin then or later, such as 2015-05-01." }),
    to: timeFlag({ description: "Only periods that end by then. Default: all that have ended." }),
    ...pageFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(PlansSimulate);
    const { plan, placed } = await planOf(flags);
    const service = await this.client(InvoiceService, flags);
    const request = {
      plan,
      customerId: flags.customer ?? "",
      against: flags.against ?? "",
      ...(flags.from ? { from: flags.from } : {}),
      ...(flags.to ? { until: flags.to } : {}),
    };
    const { customers, currency, planVersion } = await simulate(service, request).catch((error) => {
      throw placed(error);
    });
    const total = totalOf(customers);
    const shown = customers.sort(byDifference).slice(0, flags.all ? undefined : flags.limit);
    this.answer(
      () => ({
        planVersion,
        currency,
        customers: shown.map((one) => bare(CustomerSimulationSchema, one)),
        total: bare(CustomerSimulationSchema, total),
      }),
      () => (customers.length > 0 ? simulationText(shown, total, currency) : ""),
    );
    if (customers.length === 0) this.say("Nothing to show: no period of these has ended and been billed.");
    else this.say(outcomeText(customers));
    if (total.periodsNotComparable > 0) {
      this.say(`Not compared: ${count(total.periodsNotComparable, "period")} of another currency or length.`);
    }
    if (shown.length < customers.length) this.say(`These are ${shown.length} of them. --all shows all.`);
  }
}

type Request = MessageInitShape<typeof SimulatePlanRequestSchema>;

/** The plan to simulate, and the way back from an error of the server's to its file. */
async function planOf(flags: { plan: string; catalog?: string | undefined }) {
  const [, key = "", version] = /^([^@]*)(?:@([1-9]\d{0,8}))?$/.exec(flags.plan) ?? [];
  if (!key) throw new CliError("usage", `--plan: "${flags.plan}" is no plan: write it like pro, or pro@2`);
  if (flags.catalog === undefined) {
    const published = { case: "published" as const, value: { key, version: Number(version ?? 0) } };
    return { plan: published, placed: (error: unknown) => error };
  }
  if (version) throw new CliError("usage", "--plan names a version, and a plan of a file has none");
  const { plan, at, placed } = await readPlanOfCatalog(flags.catalog, key);
  return {
    plan: { case: "definition" as const, value: plan },
    placed: (error: unknown) => placed(error, "definition", at),
  };
}

/** All customers, page by page: only then is it known who stands first. */
async function simulate(service: Client<typeof InvoiceService>, request: Request) {
  const progress = createProgress();
  let last: SimulatePlanResponse | undefined;
  let done = 0;
  try {
    const { items } = await readPages(
      { all: true, limit: 0 },
      async (page) => {
        last = await service.simulatePlan({ ...request, ...page });
        done += last.customers.length;
        progress.show(`${count(done, "customer")} simulated`);
        return last;
      },
      (answer) => answer.customers,
    );
    return { customers: items, currency: last?.currency ?? "", planVersion: last?.planVersion ?? 0 };
  } finally {
    progress.end();
  }
}
