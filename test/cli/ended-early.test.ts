import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { ended } from "../support/usageflow.ts";
import { createPlace } from "./run-cli.ts";

/** A server that takes connections and never says a word. */
async function startSilent(): Promise<{ server: Server; flags: string[] }> {
  const server = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { server, flags: ["--url", `http://127.0.0.1:${port}`, "--api-key", "key"] };
}

test("a server that says nothing is unreachable, long before the call's deadline", { timeout: 20_000 }, async () => {
  const { run } = await createPlace();
  const { flags } = await startSilent();
  const { code, stderr } = await run(["plans", "list", ...flags, "--json"]);
  expect(code).toBe(6);
  expect(JSON.parse(stderr).error.message).toMatch(/^the server cannot be reached: .* did not answer within 4 s$/);
});

test.each([
  [[], "Interrupted: by Ctrl-C\n"],
  [["--json"], expect.stringMatching(/^\{"error":\{"code":"interrupted",.*\}\n$/)],
])("Ctrl-C ends a call at once, with 130 (%j)", async (more, told) => {
  const { start } = await createPlace();
  const { server, flags } = await startSilent();
  const child = start(["plans", "list", ...flags, ...more]);
  const said = text(child.stderr);
  await once(server, "connection");
  child.kill("SIGINT");
  expect(await ended(child)).toBe(130);
  expect(await said).toEqual(told);
});

test("a reader that goes away ends a command quietly", async () => {
  const { start } = await createPlace();
  const child = start(["catalog", "schema"]);
  child.stdout.destroy();
  const said = text(child.stderr);
  expect(await ended(child)).toBe(0);
  expect(await said).toBe("");
});

test("a secret that stands where it does not belong is not told again", async () => {
  const { run } = await createPlace();
  const key = `uf_live_${"a".repeat(71)}`;
  for (const args of [[`--api-kye=${key}`], [key], ["--limit", key], ["--url", `ftp://me:pass@${key}`]]) {
    const { code, stderr } = await run(["plans", "list", ...args]);
    expect([code, stderr]).toEqual([2, expect.not.stringMatching(/aaaa|me:pass/)]);
  }
  const { stderr } = await run(["plans", "list", "--api-kye", key, "--json"]);
  expect(JSON.parse(stderr).error.hint).toBe("Did you mean: --api-key? See: usageflow plans list --help");
});
