import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import fastify from "fastify";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  type HandlerOptions,
  type WebhookEvent,
  webhookListener,
  webhookPlugin,
  webhookRoute,
} from "../../cli/webhooks/handler.ts";
import { verifyWebhook } from "../../cli/webhooks/verify.ts";
import { DeliveryState, SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import { setup } from "../support/harness.ts";
import { stageEvents, times } from "./stage-events.ts";

const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
const body = '{"type":"invoice.paid","timestamp":"2015-06-01T01:00:00Z","sequence":"1","data":{"ü":1}}';

/** A listener behind `node:http`, and where it is. */
async function serve(listener: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function signed(text = body): RequestInit {
  const at = new Date();
  const headers = {
    "webhook-id": "evt_1",
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign("evt_1", at, text),
  };
  return { method: "POST", headers, body: text };
}

type Handle = (event: WebhookEvent) => void;

/** An Express application with the listener, and what stands before it. */
async function serveExpress(listener: ReturnType<typeof webhookListener>, ...before: express.Handler[]) {
  const app = express();
  app.all("/", ...before, listener);
  const url = await serve(app);
  return async (request: RequestInit) => (await fetch(url, request)).status;
}

/** All adapters, as one function each that sends a request and answers its status. */
const adapters = {
  "webhookListener in Express, before anything parses": async (options: HandlerOptions, handle: Handle) =>
    serveExpress(webhookListener(options, handle)),
  "webhookListener in Express, after express.raw": async (options: HandlerOptions, handle: Handle) =>
    serveExpress(webhookListener(options, handle), express.raw({ type: "*/*" })),
  "webhookListener in Express, after express.text": async (options: HandlerOptions, handle: Handle) =>
    serveExpress(webhookListener(options, handle), express.text({ type: "*/*" })),
  "webhookListener in Express, after express.json that keeps the bytes": async (
    options: HandlerOptions,
    handle: Handle,
  ) => {
    const verify = (request: IncomingMessage, _: ServerResponse, rawBody: Buffer) => {
      Object.assign(request, { rawBody });
    };
    return serveExpress(webhookListener(options, handle), express.json({ type: "*/*", strict: false, verify }));
  },
  "webhookPlugin in Fastify": async (options: HandlerOptions, handle: Handle) => {
    const app = fastify();
    onTestFinished(() => app.close());
    await app.register(webhookPlugin(options, handle), { prefix: "/webhooks" });
    app.post("/json", (request) => request.body);
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    const json = { method: "POST", headers: { "content-type": "application/json" }, body: '{"parsed":1}' };
    expect(await (await fetch(`${url}/json`, json)).json()).toEqual({ parsed: 1 }); // the rest keeps its parsers
    return async (request: RequestInit) => (await fetch(`${url}/webhooks`, request)).status;
  },
  "webhookListener in node:http": async (options: HandlerOptions, handle: Handle) => {
    const url = await serve(webhookListener(options, handle));
    return async (request: RequestInit) => (await fetch(url, request)).status;
  },
  webhookRoute: async (options: HandlerOptions, handle: Handle) => {
    const route = webhookRoute(options, handle);
    return async (request: RequestInit) => (await route(new Request("http://localhost", request))).status;
  },
};

describe.each(Object.entries(adapters))("%s", (_, adapter) => {
  test("hands over what verifies, and nothing else", async () => {
    const events: WebhookEvent[] = [];
    const problems: string[] = [];
    const options = { secret, onRefused: ({ problem }: { problem: string }) => problems.push(problem) };
    const send = await adapter(options, (event) => void events.push(event));
    expect(await send(signed())).toBe(204);
    expect(events).toEqual([{ id: "evt_1", ...JSON.parse(body) }]);
    expect(await send({ ...signed(), body: `${body} ` })).toBe(400);
    expect(await send({ method: "POST", body })).toBe(400);
    expect(await send({ ...signed(), method: "PUT" })).toBe(405);
    expect(problems).toEqual(["signature_mismatch", "id_missing"]);
    expect(events).toHaveLength(1);
  });

  test("answers 500 when the handler fails, and 413 to a body that is too large", async () => {
    const errors: unknown[] = [];
    const options = { secret, bodyBytesMax: body.length + 1, onError: (error: unknown) => errors.push(error) };
    const send = await adapter(options, () => {
      throw new Error("no");
    });
    expect(await send(signed())).toBe(500);
    expect(errors).toMatchObject([{ message: "no" }]);
    expect(await send(signed(`"${"x".repeat(body.length)}"`))).toBe(413);
  });

  test("refuses to be made with a secret that cannot be read", async () => {
    for (const wrong of ["nonsense", "whsk_AAAA", []]) {
      await expect(adapter({ secret: wrong }, () => {})).rejects.toThrow(TypeError);
    }
  });
});

test("a body that was parsed before is a fault of the application, which is told what to do", async () => {
  const errors: unknown[] = [];
  const options = { secret, onError: (error: unknown) => errors.push(error) };
  const send = await serveExpress(
    webhookListener(options, () => {}),
    express.json(),
  );
  const request = signed();
  expect(await send({ ...request, headers: { ...request.headers, "content-type": "application/json" } })).toBe(500);
  expect(errors).toMatchObject([{ message: expect.stringContaining("express.raw") }]);
});

test("verifyWebhook answers the event, of headers as Node or the web has them, and throws for all that does not verify", () => {
  const { headers } = signed() as { headers: Record<string, string> };
  const event = { id: "evt_1", ...JSON.parse(body) };
  expect(verifyWebhook({ headers, body }, secret)).toEqual(event);
  expect(verifyWebhook({ headers: new Headers(headers), body: Buffer.from(body) }, ["whsec_AAAA", secret])).toEqual(
    event,
  );
  const refused = expect.objectContaining({ name: "WebhookRefusedError", problem: "signature_mismatch" });
  expect(() => verifyWebhook({ headers, body: `${body} ` }, secret)).toThrow(refused);
  expect(() => verifyWebhook({ headers: {}, body }, secret)).toThrow(
    expect.objectContaining({ problem: "id_missing" }),
  );
});

test.each([SignatureKind.V1, SignatureKind.V1A])("a listener takes what the server sends, kind %i", async (kind) => {
  const { app, clients, clock, drain, tenant } = await setup({ config: { emulator: true } });
  const events: WebhookEvent[] = [];
  const options: { secret: string; nowSeconds: () => number } = {
    ...{ secret: "whsec_AAAA", nowSeconds: () => Math.floor(clock.now().getTime() / 1000) },
  };
  const url = await serve((request, response) =>
    webhookListener(options, (event) => void events.push(event))(request, response),
  );
  const made = await clients.webhook.createEndpoint({ url, signatureKind: kind });
  options.secret = made.secret || (made.endpoint?.publicKey ?? "");
  await stageEvents(app, tenant.testId, times(2));
  await drain();
  expect(events.map(({ type, sequence }) => [type, sequence]).sort()).toEqual([
    ["invoice.finalized", "1"],
    ["invoice.finalized", "2"],
  ]);
  const { deliveries } = await clients.webhook.listDeliveries({});
  expect(deliveries.map(({ state, eventId }) => [state, eventId])).toEqual(
    events.toSorted((a, b) => Number(b.sequence) - Number(a.sequence)).map(({ id }) => [DeliveryState.DELIVERED, id]),
  );
});
