import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import type { ConnectError } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { detailOf } from "../../server/rpc/errors.ts";
import { checkUrl } from "../../server/webhook/endpoint-url.ts";
import type { LookUp, Reach } from "../../server/webhook/look-up.ts";
import { resolveTarget } from "../../server/webhook/resolve-target.ts";
import { createPost } from "../../server/webhook/webhook-client.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { answers, disguised, malformed, neighbours, notations, ranges } from "../support/url-table.ts";

// Where webhooks do not go, in one table: each URL is refused when an endpoint is made and when it is dialled, and each
// answer of a resolver when it is dialled. A canary listens on every address of this machine, on the port of all of them.

const production: Reach = { emulator: false, deliveryAllowedCidrs: [] };
const emulator: Reach = { emulator: true, deliveryAllowedCidrs: [] };
const allowing = (...deliveryAllowedCidrs: string[]): Reach => ({ emulator: false, deliveryAllowedCidrs });
const everything = allowing("0.0.0.0/0", "::/0");

const canary = createServer((socket) => {
  seen++;
  socket.destroy();
});
let seen = 0;
let port = 0;

beforeAll(async () => {
  canary.listen(0); // on every address, of IPv4 and IPv6
  await once(canary, "listening");
  port = (canary.address() as AddressInfo).port;
});
afterEach(() => expect(seen).toBe(0));
afterAll(() => void canary.close());

const rowsOf = (table: Record<string, string[]>) =>
  Object.entries(table).flatMap(([why, all]) => all.map((one) => ({ why, one })));
const urlOf = (address: string) => (address.includes(":") ? `http://[${address}]` : `http://${address}`);

/** What making an endpoint with a URL comes to. */
function madeWith(url: string, reach: Reach): Promise<ErrorReason | "made" | undefined> {
  return checkUrl(url, reach).then(
    () => "made" as const,
    (error: ConnectError) => {
      expect(detailOf(error)?.field).toBe("url");
      return detailOf(error)?.reason;
    },
  );
}

/** What sending to a URL comes to, at the canary's port. */
async function sentTo(url: string, reach: Reach, look?: LookUp) {
  const target = new URL(url);
  target.port = String(port);
  const { failure } = await createPost({ ...reach, deliveryTimeoutMs: 10_000 }, look)(target.href, {}, "{}");
  return failure?.kind;
}

async function expectRefused(url: string, reach: Reach) {
  expect(await madeWith(url, reach)).toBe(ErrorReason.ADDRESS_REFUSED);
  expect(await sentTo(url, reach)).toBe("REFUSED_ADDRESS");
}

/** A resolver that answers one list after the other, and stays at the last. */
function answering(...lists: string[][]): LookUp & { asked: number } {
  const look = async () => {
    const list = lists[Math.min(look.asked++, lists.length - 1)] ?? [];
    return list.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  };
  look.asked = 0;
  return look;
}

describe("in production", () => {
  test.each(rowsOf(ranges))("$one is refused ($why)", ({ one }) => expectRefused(urlOf(one), production));

  test.each(neighbours)("%s is its neighbour, and public", async (address) => {
    expect(await madeWith(urlOf(address), production)).toBe("made");
  });

  test("a name that does not resolve yet is taken: each delivery looks again", async () => {
    expect(await madeWith("https://soon.invalid/", production)).toBe("made");
  });

  test.each(rowsOf(notations))("$one is refused ($why)", ({ one }) => expectRefused(one, production));

  test.each(rowsOf(malformed))("$one is no URL for webhooks ($why)", async ({ one }) => {
    for (const reach of [production, emulator, everything]) {
      expect(await madeWith(one, reach)).toBe(ErrorReason.INVALID_FIELD);
    }
  });

  test("the addresses and the name of this machine are refused, public or not", async () => {
    const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
    for (const address of own) await expectRefused(urlOf(address), production);
    for (const name of [hostname(), "localhost.", "any.localhost"]) {
      expect(["REFUSED_ADDRESS", "DNS"]).toContain(await sentTo(`http://${name}`, production)); // as the system has it
    }
  });

  test.each(Object.entries(answers))("a resolver that answers %s", async (_, list) => {
    expect(await sentTo("http://example.com", production, answering(list))).toBe("REFUSED_ADDRESS");
  });

  test("a resolver that turns to another answer once it was believed", async () => {
    const look = answering(["8.8.8.8"], ["127.0.0.1"]);
    await resolveTarget("example.com", production, look); // as when the endpoint is made
    expect(await sentTo("http://example.com", production, look)).toBe("REFUSED_ADDRESS");
    expect(look.asked).toBe(2); // what was checked is what would have been dialled: nobody asks again in between
  });

  test("a resolver that answers nothing, or what is no address", async () => {
    expect(await sentTo("http://example.com", production, answering([]))).toBe("DNS");
    expect(await sentTo("http://example.com", production, answering(["nonsense"]))).toBe("REFUSED_ADDRESS");
  });
});

describe("redirects", () => {
  test.each([
    [301, "http://169.254.169.254/latest/meta-data", "REDIRECT"],
    [302, "http://[fd00:ec2::254]/latest/meta-data", "REDIRECT"],
    [303, "//127.0.0.1:PORT/", "REDIRECT"],
    [307, "http://127.0.0.1:PORT/", "REDIRECT"],
    [308, "http://localhost:PORT/", "REDIRECT"],
    [300, "http://127.0.0.1:PORT/", "STATUS"],
    [201, "http://127.0.0.1:PORT/", undefined],
  ])("%i to %s leads nowhere", async (status, to, kind) => {
    const receiver = await startReceiver();
    const location = to.replace("PORT", String(port));
    receiver.behave(
      answer(status, "", { location, refresh: `0; url=${location}`, link: `<${location}>; rel=preload` }),
    );
    const { failure } = await createPost({ ...emulator, deliveryTimeoutMs: 10_000 })(receiver.url, {}, "{}");
    expect(failure?.kind).toBe(kind);
    expect(receiver.got).toHaveLength(1);
  });
});

describe("in the emulator", () => {
  test.each(rowsOf(ranges).filter(({ why, one }) => !why.startsWith("loopback") && one !== "::ffff:127.0.0.1"))(
    "$one is refused ($why): it sends to loopback alone",
    ({ one }) => expectRefused(urlOf(one), emulator),
  );

  test.each(neighbours)("%s is refused, though it is public", (address) => expectRefused(urlOf(address), emulator));

  test.each(["http://localhost:4000/webhooks?a=b", "http://127.0.0.1:1", "http://[::1]:4000", "https://127.9.9.9"])(
    "%s is taken",
    async (url) => {
      expect(await madeWith(url, emulator)).toBe("made");
    },
  );

  test("what an operator allows elsewhere is not allowed here", async () => {
    await expectRefused("http://10.0.0.1", { emulator: true, deliveryAllowedCidrs: ["10.0.0.0/8"] });
  });
});

describe("where the operator allows ranges", () => {
  const metadata = rowsOf(ranges).filter(({ why }) => why.startsWith("metadata"));

  test.each([...metadata, ...rowsOf(disguised)])("$one is refused even if all are allowed ($why)", ({ one }) =>
    expectRefused(urlOf(one), everything),
  );

  test.each([
    ["http://10.1.2.3", ["10.0.0.0/8"]],
    ["http://0x0a010203", ["10.0.0.0/8"]],
    ["http://192.168.7.7", ["10.0.0.0/8", "192.168.7.7/32"]],
    ["http://[fd12::1]", ["fd00::/8"]],
    ["http://[64:ff9b::8.8.8.8]", ["64:ff9b::/96"]],
    ["http://localhost", ["127.0.0.0/8", "::1/128"]],
  ])("%s is taken with %j", async (url, cidrs) => {
    expect(await madeWith(url, allowing(...cidrs))).toBe("made");
  });

  test.each([
    ["http://11.0.0.0", "http://8.8.8.8"],
    ["http://9.255.255.255", "http://1.1.1.1"],
  ])("public addresses stay allowed: %s and %s", async (one, other) => {
    for (const url of [one, other]) expect(await madeWith(url, allowing("10.0.0.0/8"))).toBe("made");
  });

  test("private addresses beside the ranges stay refused", async () => {
    for (const url of ["http://127.0.0.1", "http://192.168.0.1", "http://[::1]"]) {
      await expectRefused(url, allowing("10.0.0.0/8", "fd00::/8"));
    }
  });

  test("the canary sings: with its address allowed, it is reached", async () => {
    expect(await sentTo("http://127.0.0.1", allowing("127.0.0.0/8"))).toBe("RESET");
    expect(seen).toBe(1);
    seen = 0;
  });
});
