import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { ErrorDetailSchema, ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";
import { services } from "../support/services.ts";
import { askReflection, fileClient, stockClient } from "../support/stock-grpc.ts";

const USAGE = "usageflow.v1.UsageService";
const event = { metric: "API_CALL", amount: "1", customer_id: "user_123" }; // names as a descriptor has them

async function start() {
  const harness = await setup({ config: { reflection: true } });
  await harness.clients.pricing.pushCatalog({ catalog });
  return {
    ...harness,
    target: `127.0.0.1:${harness.api.port}`,
    metadata: { "x-usageflow-api-key": harness.tenant.testKey },
  };
}

describe("stock @grpc/grpc-js", () => {
  test("learns the contract from the server's reflection, v1 and v1alpha", async () => {
    const { target } = await start();
    for (const version of ["v1", "v1alpha"]) {
      const { listServicesResponse } = await askReflection(target, { listServices: "" }, version);
      const names = listServicesResponse?.service.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(services.map((service) => service.typeName)));
      const unknown = await askReflection(target, { fileContainingSymbol: "nobody.Knows" }, version);
      expect(unknown.errorResponse?.errorCode).toBe(grpc.status.NOT_FOUND);
    }
  });

  test("is told that there is no reflection, where nobody asked for it", async () => {
    const { api } = await setup();
    const asked = askReflection(`127.0.0.1:${api.port}`, { listServices: "" });
    await expect(asked).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  });

  test("tracks usage, plain and compressed, and reads a list", async () => {
    const { target, metadata } = await start();
    const plain = await stockClient(target, USAGE);
    const gzip = await stockClient(target, USAGE, { "grpc.default_compression_algorithm": 2 });
    const request = {
      events: [
        { ...event, idempotency_key: "a" },
        { ...event, idempotency_key: "b", amount: "-1" },
      ],
    };
    const first = { outcome: "USAGE_OUTCOME_ACCEPTED", idempotency_key: "a", reason: "ERROR_REASON_UNSPECIFIED" };
    const second = { outcome: "USAGE_OUTCOME_REJECTED", field: "amount", reason: "ERROR_REASON_INVALID_AMOUNT" };
    expect(await plain.call("trackUsage", request, { metadata })).toMatchObject({ results: [first, second] });
    const again = { ...first, outcome: "USAGE_OUTCOME_DUPLICATE" };
    expect(await gzip.call("trackUsage", request, { metadata })).toMatchObject({ results: [again, second] });
    const bearer = { authorization: `Bearer ${metadata["x-usageflow-api-key"]}` };
    const invoices = await stockClient(target, "usageflow.v1.InvoiceService");
    expect(await invoices.call("listInvoices", {}, { metadata: bearer })).toEqual({
      invoices: [],
      next_page_token: "",
    });
  });

  test("sees code, message and details of a refusal, the request id among them", async () => {
    const { target } = await start();
    const tracker = await stockClient(target, USAGE);
    const invoices = await stockClient(target, "usageflow.v1.InvoiceService");
    const calls = [tracker.call("trackUsage", { events: [event] }), invoices.call("listInvoices", {})].map((call) =>
      call.then(
        () => expect.fail("was answered"),
        (reason: grpc.ServiceError) => reason,
      ),
    );
    for (const error of await Promise.all(calls)) {
      expect([error.code, error.details]).toEqual([grpc.status.UNAUTHENTICATED, expect.stringMatching(/^no API key/)]);
      const [bytes] = error.metadata.get("grpc-status-details-bin");
      const status = findTrailerError(new Headers({ "grpc-status-details-bin": (bytes as Buffer).toString("base64") }));
      const [detail] = status?.findDetails(ErrorDetailSchema) ?? [];
      expect(detail?.reason).toBe(ErrorReason.KEY_MISSING);
      expect(detail?.requestId).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test("reads what a refusal says as it was written, whoever refuses", async () => {
    const { target, metadata } = await start();
    const told = async (service: string, method: string, request: object, sent = metadata) =>
      (await stockClient(target, service)).call(method, request, { metadata: sent }).then(
        () => expect.fail("was answered"),
        (reason: grpc.ServiceError) => reason.details,
      );
    const tenants = "usageflow.v1.TenantService";
    const nobody = { "x-usageflow-api-key": "" };
    const noKey = "no API key and no access token: send it as x-usageflow-api-key, or as authorization: Bearer";
    expect(await told(tenants, "getTenant", {}, nobody)).toBe(noKey);
    expect(await told(USAGE, "trackUsage", { events: [event] }, nobody)).toBe(noKey); // the lane of its own
    expect(await told(tenants, "getCustomer", { id: "50 % für €5/ü" })).toBe('there is no customer "50 % für €5/ü"');
    const [path, answer] = ["/usageflow.v1.TenantService/Nothing", (bytes: Buffer) => bytes];
    const client = new grpc.Client(target, grpc.credentials.createInsecure());
    const said = await new Promise((resolve) => {
      client.makeUnaryRequest(path, answer, answer, Buffer.alloc(0), (error) => resolve(error?.details));
    });
    client.close();
    expect(said).toMatch(/^there is nothing at POST \/usageflow\.v1\.TenantService\/Nothing; RPCs are at /);
  });

  test("sends a deadline, and is answered within it", async () => {
    const { target, metadata } = await start();
    const tracker = await stockClient(target, USAGE);
    const options = { deadline: Date.now() + 60_000 };
    const answer = await tracker.call("trackUsage", { events: [event] }, { metadata, options });
    expect(answer).toMatchObject({ results: [{ outcome: "USAGE_OUTCOME_ACCEPTED" }] });
    const over = tracker.call("trackUsage", { events: [event] }, { metadata, options: { deadline: Date.now() - 1 } });
    await expect(over).rejects.toMatchObject({ code: grpc.status.DEADLINE_EXCEEDED });
  });

  test("is told readably that a message is too large, and goes on", async () => {
    const { target, metadata } = await start();
    const tracker = await stockClient(target, USAGE);
    const events = Array(1_000).fill({ ...event, properties: [{ key: "note", value: "x".repeat(5_000) }] });
    const error = { code: grpc.status.RESOURCE_EXHAUSTED, details: expect.stringMatching(/larger than 4194304 bytes/) };
    await expect(tracker.call("trackUsage", { events }, { metadata })).rejects.toMatchObject(error);
    const answer = await tracker.call("trackUsage", { events: [event] }, { metadata });
    expect(answer).toMatchObject({ results: [{ outcome: "USAGE_OUTCOME_ACCEPTED" }] });
  });

  test("checks health with the standard protocol, without a key", async () => {
    const { target } = await start();
    const health = fileClient(target, "grpc/health/v1/health.proto", "grpc.health.v1.Health");
    for (const service of ["", ...services.map(({ typeName }) => typeName)]) {
      expect(await health.call("check", { service })).toEqual({ status: "SERVING" });
    }
    await expect(health.call("check", { service: "nobody.Knows" })).rejects.toMatchObject({
      code: grpc.status.NOT_FOUND,
    });
  });
});

describe("buf curl", () => {
  const run = promisify(execFile);
  const protocols = ["grpc", "grpcweb", "connect"];

  test.each(protocols)("calls with reflection over %s", async (protocol) => {
    const { api, metadata } = await start();
    const curl = (method: string, body: object, header: string) =>
      run("node_modules/.bin/buf", [
        ...["curl", "--protocol", protocol, "--http2-prior-knowledge", "--header", header],
        ...["--data", JSON.stringify(body), `${api.url}/usageflow.v1.${method}`],
      ]);
    const key = `x-usageflow-api-key: ${metadata["x-usageflow-api-key"]}`;
    const sent = await curl("UsageService/TrackUsage", { events: [event] }, key);
    expect(JSON.parse(sent.stdout)).toMatchObject({ results: [{ outcome: "USAGE_OUTCOME_ACCEPTED" }] });
    const tenant = await curl("TenantService/GetTenant", {}, key);
    expect(JSON.parse(tenant.stdout)).toMatchObject({ tenant: { organization: "Acme", kind: "TENANT_KIND_TEST" } });
    const refusal = await curl("UsageService/TrackUsage", { events: [event] }, "x-nothing: 1").catch((error) => error);
    const told = JSON.parse(refusal.stderr);
    expect(told).toMatchObject({ code: "unauthenticated", details: [{ type: "usageflow.v1.ErrorDetail" }] });
  });
});
