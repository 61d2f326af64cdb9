import { type DescField, type DescMessage, fromJson, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { describe, expect, test } from "vitest";
import { UsageEventSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { fieldPath } from "../../server/rpc/contract.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { services } from "../support/services.ts";

// PostgreSQL's text holds no NUL, so a field that let one through would end as a fault of ours. The contract refuses it
// in every string that a caller can send.

/** The place of a string in a message, and the message as JSON with a text there. */
interface Place {
  path: string;
  json: (text: string) => JsonValue;
}

/** Every place of a string below `desc`, in lists, maps and oneofs too. */
function placesOf(desc: DescMessage): Place[] {
  return desc.fields.flatMap((field) =>
    placesIn(field).map(({ path, json }) => ({
      path: `${field.name}${path}`,
      json: (text) => ({ [field.jsonName]: json(text) }),
    })),
  );
}

function placesIn(field: DescField): Place[] {
  if (field.message) {
    if (field.message.typeName.startsWith("google.protobuf.")) return [];
    const inner = placesOf(field.message);
    if (field.fieldKind !== "list") return inner.map(({ path, json }) => ({ path: `.${path}`, json }));
    return inner.map(({ path, json }) => ({ path: `[0].${path}`, json: (text) => [json(text)] }));
  }
  if (field.scalar !== ScalarType.STRING) return [];
  if (field.fieldKind === "list") return [{ path: "[0]", json: (text) => [text] }];
  if (field.fieldKind !== "map") return [{ path: "", json: (text) => text }];
  return [
    { path: "[key]", json: (text) => ({ [text]: "value" }) },
    { path: "[value]", json: (text) => ({ value: text }) },
  ];
}

const validator = createValidator();
const inMap = /\[(key|value|".*")\]$/s;

/** Whether a rule of the contract refuses this very place. */
function refuses(desc: DescMessage, { path, json }: Place, text: string): boolean {
  const { violations = [] } = validator.validate(desc, fromJson(desc, json(text)));
  return violations.some((violation) => fieldPath(violation).replace(inMap, "[]") === path.replace(inMap, "[]"));
}

// TrackUsage answers for its events one by one, so its rules do not reach into them: UsageEvent stands for itself.
const inputs = services.flatMap(({ methods }) => methods.map(({ input }) => input)).concat(UsageEventSchema);
const places = inputs
  .flatMap((desc) => placesOf(desc).map((place) => ({ desc, place, name: `${desc.name}.${place.path}` })))
  .filter(({ name }) => !name.startsWith("TrackUsageRequest.events"));

describe("every string of every request", () => {
  test("is looked at, however deep it is", () => {
    expect(places.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "PushCatalogRequest.catalog.plans[0].prices[0].graduated.tiers[0].up_to",
        "CreateEndpointRequest.event_types[0]",
        "UsageEvent.properties[key]",
        "UsageEvent.properties[value]",
        "ListInvoicesRequest.page_token",
      ]),
    );
  });

  test.each(["\0", "a\0", "\0a", "1\0"])("holds no NUL: %j", (text) => {
    const holes = places.filter(({ desc, place }) => !refuses(desc, place, text));
    // The exception is read as a number (usage/amount.ts), with a reason of its own.
    expect(holes.map(({ name }) => name)).toEqual(["UsageEvent.amount"]);
  });

  test("has a largest length", () => {
    const holes = places.filter(({ desc, place }) => !refuses(desc, place, "a".repeat(4_000)));
    expect(holes.map(({ name }) => name)).toEqual([]);
  });
});

test("a rule of the contract is told with the path of the field", async () => {
  const { clients } = await setup();
  const plans = [{ key: "pro" }, { key: "a\0b" }];
  expect(await refused(clients.pricing.pushCatalog({ catalog: { plans } }))).toMatchObject({ code: 3 });
  expect(await refused(clients.tenant.getCustomer({ id: "\0" }))).toEqual({ code: 3, reason: 1, field: "id" });
});
