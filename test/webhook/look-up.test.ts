import { expect, test } from "vitest";
import { askNameServers } from "../../server/webhook/look-up.ts";
import { resolveTarget } from "../../server/webhook/resolve-target.ts";
import { startNameServer } from "../support/name-server.ts";

const reach = { emulator: false, deliveryAllowedCidrs: [] };
const PUBLIC = [1, 1, 1, 1];
const PUBLIC_IPV6 = [0x26, 0x06, 0x47, 0, ...Array(11).fill(0), 1];
const LOOPBACK_IPV6 = [...Array(15).fill(0), 1];

test("names whose servers never answer hold up no other, however many they are", async () => {
  const silent = Array.from({ length: 32 }, (_, index) => `silent-${index}.example`);
  const zone = Object.fromEntries(silent.map((name) => [name, "silence" as const]));
  const { address, asked } = await startNameServer({ ...zone, "good.example": { A: PUBLIC } });
  const look = askNameServers([address]);
  let over = 0;
  for (const name of silent) look(name).catch(() => over++);
  expect(await look("good.example")).toEqual([{ address: "1.1.1.1", family: 4 }]);
  expect(over).toBe(0);
  expect(silent.every((name) => asked.includes(name))).toBe(true);
});

test("a name whose server never answers is given up", async () => {
  const { address, asked } = await startNameServer({ "silent.example": "silence" });
  const answer = askNameServers([address], { timeout: 250, tries: 2 })("silent.example");
  await expect(answer).rejects.toMatchObject({ code: "ETIMEOUT", syscall: "getaddrinfo" });
  expect(asked.length).toBeGreaterThan(2); // more than once for each kind of address
});

test("all addresses of a name are found, of both kinds, and one that is not public refuses the name", async () => {
  const zone = {
    "both.example": { A: PUBLIC, AAAA: PUBLIC_IPV6 },
    "six.example": { AAAA: PUBLIC_IPV6 },
    "mixed.example": { A: PUBLIC, AAAA: LOOPBACK_IPV6 },
    "none.example": {},
  };
  const { address } = await startNameServer(zone);
  const look = askNameServers([address]);
  const addresses = async (name: string) => (await resolveTarget(name, reach, look)).map((one) => one.address);
  expect(await addresses("both.example")).toEqual(["1.1.1.1", "2606:4700::1"]);
  expect(await addresses("six.example")).toEqual(["2606:4700::1"]);
  await expect(addresses("mixed.example")).rejects.toThrow("::1 is refused");
  await expect(addresses("none.example")).rejects.toMatchObject({ code: "ENODATA" });
  await expect(addresses("absent.example")).rejects.toMatchObject({ code: "ENOTFOUND" });
});

test("a name server that is not there is an error of the look-up", async () => {
  await expect(askNameServers(["127.0.0.1:1"])("a.example")).rejects.toMatchObject({ syscall: "getaddrinfo" });
});
