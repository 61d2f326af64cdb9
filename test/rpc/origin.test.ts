import { expect, test } from "vitest";
import { ranges } from "../../server/cidr.ts";
import { callerAddress, machineOf } from "../../server/rpc/origin.ts";

const proxies = ranges("10.0.0.0/8", "fd00::/8");
const from = (socketAddress: string | undefined, forwardedFor?: string) =>
  callerAddress(proxies, { socketAddress, forwardedFor });

test("the caller is the other end of the connection, whatever a header says", () => {
  expect(from("203.0.113.7")).toBe("203.0.113.7");
  expect(from("203.0.113.7", "198.51.100.1")).toBe("203.0.113.7");
  expect(callerAddress(ranges(), { socketAddress: "10.0.0.1", forwardedFor: "198.51.100.1" })).toBe("10.0.0.1");
  expect(from("::ffff:203.0.113.7")).toBe("203.0.113.7");
  expect(from("fe80::1%eth0")).toBe("fe80::1");
  expect(from(undefined, "198.51.100.1")).toBeUndefined();
});

test("behind a trusted proxy it is the last that no trusted proxy is: what stands before, anybody wrote", () => {
  expect(from("10.0.0.1")).toBe("10.0.0.1");
  expect(from("10.0.0.1", "203.0.113.7")).toBe("203.0.113.7");
  expect(from("::ffff:10.0.0.1", "203.0.113.7")).toBe("203.0.113.7");
  expect(from("fd00::1", "192.0.2.1, 203.0.113.7, 10.0.0.2,10.0.0.3")).toBe("203.0.113.7");
  expect(from("10.0.0.1", "10.0.0.2")).toBe("10.0.0.2");
  expect(from("10.0.0.1", "203.0.113.7:4711")).toBe("203.0.113.7");
  expect(from("10.0.0.1", "[2001:db8::1]:4711")).toBe("2001:db8::1");
});

test("a proxy that says what is no address leaves the caller unknown", () => {
  for (const said of ["unknown", "203.0.113.7, unknown", "_hidden", "203.0.113.7.1", "999.1.1.1"]) {
    expect([said, from("10.0.0.1", said)]).toEqual([said, undefined]);
  }
});

test("the addresses of a /64 are one machine, however they are written", () => {
  const same = ["2001:db8:0:1::", "2001:DB8::1:0:0:0:7", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:0db8:0000:0001::9"];
  expect(new Set(same.map(machineOf))).toEqual(new Set(["2001:db8:0:1"]));
  expect(machineOf("2001:db8:0:2::")).toBe("2001:db8:0:2");
  expect(machineOf("::1")).toBe("0:0:0:0");
  expect(machineOf("203.0.113.7")).toBe("203.0.113.7");
});
