import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type SecureVersion } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { InvoiceService } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { startApi } from "../../server/api.ts";
import { type Certificate, makeCertificate } from "../support/certificate.ts";
import { setup } from "../support/harness.ts";

const make = () => makeCertificate({ name: "localhost", validUntil: new Date(Date.now() + 86_400_000) });

/** A server with a certificate of its own in two files. */
async function start() {
  const folder = await mkdtemp(join(tmpdir(), "usageflow-tls-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  const write = async ({ cert, key }: Certificate) => {
    await writeFile(tls.certFile, cert);
    await writeFile(tls.keyFile, key);
  };
  const certificate = make();
  await write(certificate);
  const harness = await setup();
  const api = await startApi(await harness.addApp({ tls, headersTimeoutMs: 200 }));
  onTestFinished(() => api.close());
  return { ...harness, api, write, certificate, url: `https://localhost:${api.port}` };
}

/** The certificate that a new connection is shown, and what was agreed on. */
async function handshake(
  port: number,
  ca: string,
  versions: { minVersion?: SecureVersion; maxVersion?: SecureVersion } = {},
) {
  const options = { port, host: "127.0.0.1", servername: "localhost", ca, ALPNProtocols: ["h2", "http/1.1"] };
  const socket = connectTls({ ...options, ...versions });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return { protocol: socket.getProtocol(), alpn: socket.alpnProtocol };
}

test("one port speaks HTTP/1.1, HTTP/2 and gRPC over TLS", async () => {
  const { api, url, certificate, tenant } = await start();
  expect(api.url).toBe(`https://127.0.0.1:${api.port}`);
  const ca = certificate.cert;
  const [answer] = await once(request(`${url}/healthz`, { ca }).end(), "response");
  expect([answer.statusCode, answer.httpVersion]).toEqual([200, "1.1"]);
  expect(answer.headers["strict-transport-security"]).toMatch(/^max-age=\d+$/);
  answer.resume();
  const session = connectHttp2(url, { ca });
  const stream = session.request({ ":path": "/healthz" });
  expect((await once(stream, "response"))[0][":status"]).toBe(200);
  session.destroy();
  const transport = createGrpcTransport({ baseUrl: url, nodeOptions: { ca } });
  const headers = { "x-usageflow-api-key": tenant.testKey };
  expect((await createClient(InvoiceService, transport).listInvoices({}, { headers })).invoices).toEqual([]);
  const stock = new grpc.Client(`localhost:${api.port}`, grpc.credentials.createSsl(Buffer.from(ca)));
  await new Promise<void>((resolve, reject) =>
    stock.waitForReady(Date.now() + 20_000, (error) => (error ? reject(error) : resolve())),
  );
  stock.close();
});

test("TLS 1.2 and 1.3 are spoken, and nothing before them, nor what is no TLS", async () => {
  const { api, certificate } = await start();
  const { cert } = certificate;
  expect(await handshake(api.port, cert)).toEqual({ protocol: "TLSv1.3", alpn: "h2" });
  const second = await handshake(api.port, cert, { maxVersion: "TLSv1.2" });
  expect(second).toEqual({ protocol: "TLSv1.2", alpn: "h2" });
  await expect(handshake(api.port, cert, { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" })).rejects.toThrow();
  for (const bytes of ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", "\x16\x03\x01"]) {
    const plain = connectTcp(api.port, "127.0.0.1");
    plain.write(bytes);
    const got = Buffer.concat(await plain.toArray().catch(() => []));
    expect(got.toString("latin1")).not.toContain("HTTP/1.1");
  }
  expect(await handshake(api.port, cert)).toMatchObject({ alpn: "h2" });
});

test("a new certificate is taken for new connections, and one that is no good is not", async () => {
  const { api, write, certificate } = await start();
  const next = make();
  await write({ cert: next.cert, key: certificate.key });
  await api.reloadTls();
  await handshake(api.port, certificate.cert); // they do not belong together: the one before stays
  await write(next);
  await api.reloadTls();
  await handshake(api.port, next.cert);
  await expect(handshake(api.port, certificate.cert)).rejects.toThrow(/self-signed|certificate/);
});

test("a server does not start with a certificate that is no good", async () => {
  const { addApp } = await setup();
  const tls = { certFile: "/nowhere/cert.pem", keyFile: "/nowhere/key.pem" };
  await expect(startApi(await addApp({ tls }))).rejects.toThrow("/nowhere/cert.pem");
});
