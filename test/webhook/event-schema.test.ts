import { fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { describe, expect, expectTypeOf, test } from "vitest";
import type { WebhookFacts } from "../../cli/webhooks/event.ts";
import { EventDataSchema, WebhookBodySchema } from "../../gen/usageflow/v1/event_pb.ts";
import { type EventFacts, type EventType, eventTypes } from "../../server/outbox/event-type.ts";
import { listEventTypes } from "../../server/webhook/event-schema.ts";
import { billed } from "../support/billing.ts";
import { setup } from "../support/harness.ts";
import { schemaProblems } from "../support/json-schema.ts";

const listed = listEventTypes().eventTypes;

describe("listEventTypes", () => {
  test("has every type, and describes it", async () => {
    const { clients } = await setup();
    const answered = (await clients.webhook.listEventTypes({})).eventTypes;
    expect(answered).toEqual(listed);
    expect(answered.map(({ type }) => type).sort()).toEqual([...eventTypes].sort());
    for (const { type, description } of answered)
      expect([type, description]).toEqual([type, expect.stringMatching(/\.$/)]);
  });

  test.each(listed)("has a sample of $type that is the contract's, keeps to its schema, and sets one fact", (one) => {
    const sample = one.sample as JsonObject;
    const body = fromJson(WebhookBodySchema, sample);
    expect(toJson(WebhookBodySchema, body, { alwaysEmitImplicit: true })).toEqual(sample);
    expect(body.type).toBe(one.type);
    expect(EventDataSchema.fields.filter((field) => field.localName in (sample.data as JsonObject))).toHaveLength(1);
    expect(schemaProblems(one.schema as JsonObject, sample)).toEqual([]);
  });

  test("has schemas that what happened in a month keeps to", async () => {
    const { ownerDb } = await billed();
    const events = await ownerDb.selectFrom("outbox_event").selectAll().orderBy("id").execute();
    expect(new Set(events.map(({ type }) => type)).size).toBeGreaterThan(2);
    for (const { type, data } of events) {
      const body = { type, timestamp: "2015-06-01T01:00:00Z", sequence: "1", data: JSON.parse(data) };
      const { schema } = listed.find((one) => one.type === type) as { schema: JsonObject };
      expect([type, schemaProblems(schema, body)]).toEqual([type, []]);
    }
  });

  test("has schemas that refuse another type, a fact that is missing, and values of another kind", () => {
    const { sample, schema } = listed.find(({ type }) => type === "invoice.paid") as {
      sample: JsonObject;
      schema: JsonObject;
    };
    const { invoice } = sample.data as { invoice: JsonObject };
    const problems = (change: JsonObject) => schemaProblems(schema, { ...sample, ...change });
    expect(problems({ another: 1 })).toEqual([]);
    expect(problems({ type: "invoice.voided" })).toEqual(["$.type: enum"]);
    expect(problems({ data: {} })).toEqual(["$.data: required"]);
    expect(problems({ sequence: 1 })).toEqual(["$.sequence: type"]);
    expect(problems({ data: { invoice: { ...invoice, totalMinor: 750 } } })).toEqual([
      "$.data.invoice.totalMinor: type",
    ]);
    expect(problems({ data: { invoice: { ...invoice, state: "PAID" } } })).toEqual(["$.data.invoice.state: enum"]);
    const [line] = invoice.lines as [JsonObject];
    const lines = [{ ...line, dimensions: { region: 1 } }];
    expect(problems({ data: { invoice: { ...invoice, lines } } })).toEqual([
      "$.data.invoice.lines[0].dimensions.region: type",
    ]);
  });
});

test("the package's types of events are the server's", () => {
  type FactsOf<All> = { [T in keyof All]: keyof All[T] };
  expectTypeOf<keyof WebhookFacts>().toEqualTypeOf<EventType>();
  expectTypeOf<FactsOf<WebhookFacts>>().toEqualTypeOf<FactsOf<EventFacts>>(); // the compiler checks: npm run check
});
