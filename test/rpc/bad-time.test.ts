import { create, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import { describe, expect, test } from "vitest";
import { CustomerSchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { PutCustomerRequestSchema, UpdateTenantRequestSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { fieldPath, findBreach } from "../../server/rpc/contract.ts";
import { services } from "../support/services.ts";

// Times that no business has: before 1970, and so far ahead that counting periods up to there would not end.

/** The place of a time in a message, and the message as JSON with a time there. */
interface Place {
  path: string;
  json: (time: string) => JsonValue;
}

function placesOf(desc: DescMessage): Place[] {
  return desc.fields.flatMap((field) => {
    const within = (inner: Place[]) =>
      inner.map(({ path, json }) =>
        field.fieldKind === "list"
          ? { path: `${field.name}[0].${path}`, json: (time: string) => ({ [field.jsonName]: [json(time)] }) }
          : { path: `${field.name}.${path}`, json: (time: string) => ({ [field.jsonName]: json(time) }) },
      );
    if (!field.message) return [];
    if (field.message.typeName !== TimestampSchema.typeName) return within(placesOf(field.message));
    return [{ path: field.name, json: (time: string) => ({ [field.jsonName]: time }) }];
  });
}

const validator = createValidator();
const inputs = services.flatMap(({ methods }) => methods.map(({ input }) => input));
// The server sets them; what a call says there is not read.
const NOT_READ = ["PutCustomerRequest.customer.created_at", "PutCustomerRequest.customer.erased_at"];
const places = inputs
  .flatMap((desc) => placesOf(desc).map((place) => ({ desc, place, name: `${desc.name}.${place.path}` })))
  .filter(({ name }) => !NOT_READ.includes(name));

/** Places that the contract lets this time through. */
function holes(time: string): string[] {
  return places
    .filter(({ desc, place: { path, json } }) => {
      const { violations = [] } = validator.validate(desc, fromJson(desc, json(time)));
      return !violations.some((violation) => fieldPath(violation) === path);
    })
    .map(({ name }) => name);
}

describe("every time of every request", () => {
  test("is looked at, however deep it is", () => {
    expect(places.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["GetUsageRequest.start", "StartSubscriptionRequest.start_at"]),
    );
  });

  test("lies behind 1970", () => {
    // Events are answered one by one, with a reason of their own; a clock goes on from where it stands.
    const checkedLater = ["AdvanceClockRequest.to", "TrackUsageRequest.events[0].occurred_at"];
    expect(holes("1969-12-31T23:59:59Z").sort()).toEqual(checkedLater);
    expect(holes("0001-01-01T00:00:00Z").sort()).toEqual(checkedLater);
  });

  test("lies before the year 2200", () => {
    const checkedLater = ["TrackUsageRequest.events[0].occurred_at"];
    expect(holes("2200-01-01T00:00:00Z")).toEqual(checkedLater);
    expect(holes("9999-12-31T23:59:59Z")).toEqual(checkedLater);
  });

  test("has no more nanoseconds than a second, though bytes can say so", () => {
    const withTimes = inputs.flatMap((desc) => placesOf(desc).map((place) => ({ desc, place })));
    const ofEvents = "events[0].occurred_at"; // looked at one by one
    for (const { desc, place } of withTimes.filter(({ place: { path } }) => path !== ofEvents)) {
      for (const nanos of [-1, 1_000_000_000, 2 ** 31 - 1]) {
        const message = fromJson(desc, place.json("2015-05-21T00:00:00Z"));
        spoil(message, nanos);
        // A rule that another field breaks may come first.
        expect([desc.name, place.path, findBreach(desc, message)]).not.toEqual([desc.name, place.path, undefined]);
      }
    }
    const request = create(UpdateTenantRequestSchema, { gracePeriod: { seconds: 1n, nanos: -1 } });
    expect(findBreach(UpdateTenantRequestSchema, request)).toMatchObject({ field: "grace_period" });
    const customer = fromJson(CustomerSchema, { id: "c", erasedAt: "2015-05-21T00:00:00Z" });
    spoil(customer, 2_000_000_000);
    const put = create(PutCustomerRequestSchema, { customer });
    expect(findBreach(PutCustomerRequestSchema, put)).toMatchObject({ field: "customer.erased_at" });
  });
});

/** Gives all times in a message as many nanoseconds. */
function spoil(value: unknown, nanos: number): void {
  if (typeof value !== "object" || value === null) return;
  if ("$typeName" in value && value.$typeName === TimestampSchema.typeName) Object.assign(value, { nanos });
  else for (const inner of Object.values(value)) spoil(inner, nanos);
}
