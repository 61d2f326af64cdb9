import { create } from "@bufbuild/protobuf";
import { type CustomerSimulation, CustomerSimulationSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { table } from "./table.ts";
import { count, money } from "./text.ts";

/** All customers of a simulation as one, without a name. */
export function totalOf(customers: readonly CustomerSimulation[]): CustomerSimulation {
  const sum = (amountOf: (one: CustomerSimulation) => bigint) =>
    customers.reduce((all, one) => all + amountOf(one), 0n);
  const [oldMinor, newMinor] = [sum((one) => one.oldMinor), sum((one) => one.newMinor)];
  return create(CustomerSimulationSchema, {
    periods: Number(sum((one) => BigInt(one.periods))),
    oldMinor,
    newMinor,
    differenceMinor: newMinor - oldMinor,
    differencePercent: percentOf(newMinor - oldMinor, oldMinor),
    periodsNotComparable: Number(sum((one) => BigInt(one.periodsNotComparable))),
  });
}

/** Those who would gain or lose most first. */
export function byDifference(a: CustomerSimulation, b: CustomerSimulation): number {
  const [left, right] = [absolute(a.differenceMinor), absolute(b.differenceMinor)];
  if (left !== right) return left < right ? 1 : -1;
  return a.customerId < b.customerId ? -1 : 1;
}

/** A row for each customer, and the last for all. */
export function simulationText(
  customers: readonly CustomerSimulation[],
  total: CustomerSimulation,
  currency: string,
): string {
  const amount = (minor: bigint) => money(minor, currency);
  const signed = (minor: bigint) => `${minor > 0n ? "+" : ""}${amount(minor)}`;
  return table(
    [
      { title: "CUSTOMER", value: (one) => one.customerId || "Total", cut: true },
      { title: "PERIODS", value: (one) => one.periods.toLocaleString("en"), right: true },
      { title: "OLD", value: (one) => amount(one.oldMinor), right: true },
      { title: "NEW", value: (one) => amount(one.newMinor), right: true },
      { title: "DIFFERENCE", value: (one) => signed(one.differenceMinor), right: true },
      { title: "%", value: percentText, right: true },
    ],
    [...customers, total],
  );
}

/** How many pay more, and how many less. */
export function outcomeText(customers: readonly CustomerSimulation[]): string {
  const more = customers.filter((one) => one.differenceMinor > 0n).length;
  const less = customers.filter((one) => one.differenceMinor < 0n).length;
  const pay = (some: number) => `${count(some, "customer")} ${some === 1 ? "pays" : "pay"}`;
  const same = customers.length - more - less;
  return `${pay(more)} more, ${pay(less)} less, ${pay(same)} the same.`;
}

function percentText({ differencePercent, differenceMinor }: CustomerSimulation): string {
  if (differencePercent === "") return "";
  return `${differenceMinor > 0n ? "+" : ""}${differencePercent}%`;
}

function absolute(minor: bigint): bigint {
  return minor < 0n ? -minor : minor;
}

/** As the server works it out for each customer: to 2 digits, half away from zero. */
function percentOf(part: bigint, whole: bigint): string {
  if (whole === 0n) return "";
  const hundredths = (absolute(part) * 20_000n + whole) / (2n * whole);
  const text = `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")}`.replace(/\.?0+$/, "");
  return part < 0n && hundredths > 0n ? `-${text}` : text;
}
