import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { setup } from "../support/harness.ts";

// What only a socket can send: no client of a library would.

const PATH = "/usageflow.v1.TenantService/GetTenant";

/** Sends bytes, and answers the status of what came back; "closed" when nothing did. */
function statusOf(port: number, bytes: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket: Socket = connect(port, "127.0.0.1", () => socket.end(Buffer.from(bytes, "latin1")));
  let got = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    got += text;
  });
  socket.on("error", reject);
  socket.on("close", () => resolve(/^HTTP\/1\.[01] (\d{3})/.exec(got)?.[1] ?? "closed"));
  return promise;
}

test("a host, a path or a header that cannot be read is refused, and ends nothing but its own call", async () => {
  const { api, clients } = await setup();
  const rpc = (host: string) =>
    `POST ${PATH} HTTP/1.1\r\n${host}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
  for (const host of ["[", "a b", "a:b", ":", "%", "a/b@c:99999", "\xff\xfe", "", "a\\b", "[::1", "xn--"]) {
    expect([host, await statusOf(api.port, rpc(`host: ${host}\r\n`))]).toEqual([
      host,
      expect.stringMatching(/^40[01]$/),
    ]);
  }
  expect(await statusOf(api.port, `POST ${PATH} HTTP/1.0\r\ncontent-type: application/json\r\n\r\n{}`)).toMatch(
    /^40[01]$/,
  );
  for (const path of ["//", "http://[", "*", "/%", "/..//.", `http://x@[${PATH}`, "/api/track?%"]) {
    const status = await statusOf(api.port, `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`);
    expect([path, status]).toEqual([path, expect.stringMatching(/^4\d\d$/)]);
  }
  for (const line of [
    "x-usageflow-api-key: \xff",
    "authorization: Bearer \x80\x81",
    "content-type: \xff",
    "te: \xff",
  ]) {
    const status = await statusOf(api.port, rpc(`host: x\r\n${line}\r\n`));
    expect([line, status]).toEqual([line, expect.stringMatching(/^4\d\d$/)]);
  }
  expect((await clients.tenant.getTenant({})).tenant).toBeDefined();
});

test("HTTP/2 with an authority that cannot be read is refused too", async () => {
  const { api, clients } = await setup();
  for (const authority of ["[", "a b", ":", "a:b"]) {
    const session = connectHttp2(api.url);
    const { promise, resolve } = Promise.withResolvers<string>();
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      ":authority": authority,
      "content-type": "application/grpc",
    });
    stream.on("response", (headers) => resolve(String(headers["grpc-status"])));
    stream.on("error", () => resolve("reset"));
    stream.on("close", () => resolve(stream.rstCode === constants.NGHTTP2_NO_ERROR ? "closed" : "reset"));
    stream.end();
    expect([authority, await promise]).toEqual([authority, expect.stringMatching(/^(3|16|reset)$/)]);
    session.close();
  }
  expect((await clients.tenant.getTenant({})).tenant).toBeDefined();
});
