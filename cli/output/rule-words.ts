import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { span } from "./text.ts";

// The contract's rules in the words of a command line: the server names fields and patterns, people write flags.

const ID = "[0-9A-Za-z]{22}";
const EXAMPLE = "01K0J1ZD8Q5x2nS7mXvTf3";

/** What a pattern of the contract allows. */
const ALLOWED: Record<string, string> = {
  "^[A-Z]{3}$": "three capital letters such as USD",
  "^[A-Za-z][A-Za-z0-9_.-]*$": "a letter, then letters, digits, _ . or -",
  "^[0-9]{1,3}(\\.[0-9]{1,18})?$": "a percentage such as 2.9, with at most 18 digits after the point, and no sign",
  "^(100(\\.0{1,18})?|[0-9]{1,2}(\\.[0-9]{1,18})?)$":
    "a percentage from 0 to 100 such as 12.5, with at most 18 digits after the point",
  "^[0-9]{1,12}(\\.[0-9]{1,18})?$":
    "a decimal such as 0.05, with at most 12 digits before the point and 18 after it, and no sign",
  "^[0-9]{1,20}(\\.[0-9]{1,12})?$":
    "a decimal such as 1000, with at most 20 digits before the point and 12 after it, and no sign",
  "^(\\*|[a-z_]+\\.(\\*|[a-z_]+))$": "a type such as invoice.finalized, invoice.* for all of a noun, or * for all",
  "^https?://[^\\x00-\\x20\\x7f]+$": "an http or https URL without spaces",
  "^(whsec|whsk)_[A-Za-z0-9+/]{32,86}={0,2}$": "whsec_ and 24 to 64 bytes in base64, or whsk_ and 64",
  "^[A-Za-z][A-Za-z0-9_-]*$": "a letter, then letters, digits, _ or -",
  "^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$": "printable ASCII without spaces at its ends",
  "^[A-Za-z0-9-]{0,15}[A-Za-z-]$": "1 to 16 letters, digits or -, with no digit at the end",
  "^[A-Za-z][A-Za-z0-9_+/-]*$": "an IANA name such as Europe/Berlin",
  "^[0-9A-Fa-f:.]+/[0-9]{1,3}$": "a range of addresses such as 203.0.113.0/24 or 2001:db8::/32",
  "^[A-Za-z0-9_-]*$": "what an answer gave as nextPageToken",
  "^[A-Za-z0-9_-]+$": `a number such as INV-000001, or an id such as inv_${EXAMPLE}`,
  "^[^\\x00-\\x1f\\x7f]*$": "text without line breaks and other control characters",
  "^[^\\x00-\\x1f\\x7f]+$": "text without line breaks and other control characters",
  "^[^@\\x00-\\x20\\x7f]+@[^@\\x00-\\x20\\x7f]+$": "an address such as ada@example.com",
  "^[^\\x00]*$": "text without NUL",
  "^[A-Za-z]+$": "the name of a method such as VoidInvoice",
  "^[0-9A-Za-z_]*$": `an id such as key_${EXAMPLE}`,
};

/** Where a field of a request comes from on the command line. Of several, the command's own. */
const GIVEN_BY: Record<string, string | readonly string[]> = {
  id: "ID",
  key: "KEY",
  secret: "--secret",
  overlap: "--overlap",
  email: "EMAIL",
  owner_email: "--owner",
  member_id: "--member",
  role: ["ROLE", "--role"],
  "x-usageflow-tenant": "--tenant",
  url: ["URL", "--to"],
  endpoint_id: "--endpoint",
  event_id: "--event",
  event_types: ["--type", "--events", "--event"],
  amounts: "--amounts",
  customer_id: "--customer",
  idempotency_key: "--key",
  occurred_at: "--at",
  properties: "--property",
  "customer.id": "CUSTOMER",
  "customer.name": "--name",
  "customer.billing.buyer.name": "--buyer-name",
  "customer.billing.buyer.address": "--address",
  "customer.billing.buyer.tax_id": "--tax-id",
  "customer.billing.buyer.email": "--email",
  "customer.billing.purchase_order": "--purchase-order",
  "customer.billing.payment_terms_days": "--payment-terms",
  "seller.name": "--seller-name",
  "seller.address": "--seller-address",
  "seller.tax_id": "--seller-tax-id",
  "seller.email": "--seller-email",
  payment_terms_days: "--payment-terms",
  memo: "--memo",
  invoice_prefix: "--invoice-prefix",
  time_zone: "--time-zone",
  "filter.actions": "--action",
  "filter.subject": "--subject",
  "filter.actor": "--actor",
  "filter.start": "--from",
  "filter.end": "--before",
  invoice_id: "INVOICE",
  reason: "--reason",
  amount_minor: "--amount",
  grace_period: "--grace-period",
  backfill_window: "--backfill-window",
  name: ["--name", "NAME"],
  description: "--description",
  plan_version: "--plan-version",
  quantity: "--quantity",
  start_at: "--start-at",
  trial_ends_at: "--trial-end",
  amount: "--amount",
  currency: "--currency",
  percent: "--percent",
  priority: "--priority",
  expires_at: "--expires",
  expires_in: "--expires-in",
  allowed_cidrs: "--allow-cidr",
  grant_id: "--credit",
  paid_at: "--paid-at",
  start: "--from",
  end: ["--to", "--before"],
  from: "--from",
  until: "--to",
  to: "--to",
  by: "--by",
  filter: "--filter",
  "filter.property": "--filter",
  group_by: "--group-by",
  event_amounts: "--event-amounts",
  "lines.lines.position": "--line",
  "lines.lines.amount_minor": "--line",
  "customer.tax_rates.name": "--tax",
  "customer.tax_rates.percent": "--tax",
};

/** A message of the server's, with what is allowed in place of a pattern, or of an enumeration's number. */
export function ruleWords(message: string): string {
  return message
    .replace(/must not be in list \[0\]$/, "must be given")
    .replace(/^((?:[^ ]*: )?must be .*)$/, (words) => words.replace(/\b(\d+)s\b/g, (_, seconds) => spanWords(seconds)))
    .replace(/does not match regex pattern `(.*)`$/s, (whole, pattern: string) => {
      const words = allowed(pattern);
      return words ? `must be ${words}` : whole;
    });
}

/** A message that says something of a field, and not of which: that is in the error's detail. */
const OF_ITS_FIELD = /^(must|is|lies|value) /;

/**
 * The same for a message about a field, which it may begin with: the flag or the argument stands in the field's place.
 * `taken` are those of the command.
 */
export function fieldWords(message: string, field: string, taken: readonly string[] = []): string {
  const given = givenBy(field, taken);
  const said = message
    .replace(`${field} must `, "must ")
    .replace(/ (before|after) start$/, ` $1 ${givenBy("start", taken)}`);
  if (field !== "" && OF_ITS_FIELD.test(said)) return ruleWords(`${given}: ${said}`);
  return ruleWords(message.startsWith(`${field}: `) ? given + message.slice(field.length) : message);
}

function givenBy(field: string, taken: readonly string[]): string {
  const path = field.replace(/\[(\d+|".*?")\]/gs, "");
  const usual = [GIVEN_BY[path] ?? []].flat();
  const name = path.replaceAll("_", "-");
  const short = name.replace(/-id$/, "");
  const alike = [`--${name}`, `--${short}`, short.toUpperCase()];
  const own = [...usual, ...alike].find((one) => taken.includes(one));
  // What the contract calls an id or a key is the command's first argument, whatever that is called.
  const first = path === "id" || path === "key" ? taken.find((one) => !one.startsWith("-")) : undefined;
  return own ?? first ?? usual[0] ?? field;
}

/** A number of seconds as people write spans of time. */
function spanWords(seconds: string): string {
  return span(create(DurationSchema, { seconds: BigInt(seconds) }));
}

function allowed(pattern: string): string | undefined {
  const needed = pattern.replace(/^\^\((.*)\)\?\$$/, "^$1$"); // a field that may be empty has the same pattern in ( )?
  const [, prefix, rest] = /^\^([a-z]+_)(.*)\$$/.exec(needed) ?? [];
  return rest === ID ? `an id such as ${prefix}${EXAMPLE}` : ALLOWED[needed];
}
