import { describe, expect, test } from "vitest";
import { isLoopback, isPublic } from "../../server/webhook/public-address.ts";

// Every range by its first and last address, with the neighbours that are public.
const refused = [
  ["this network", "0.0.0.0", "0.255.255.255"],
  ["private", "10.0.0.0", "10.255.255.255"],
  ["shared by carriers", "100.64.0.0", "100.127.255.255"],
  ["metadata of Alibaba", "100.100.100.200"],
  ["loopback", "127.0.0.0", "127.0.0.1", "127.255.255.255"],
  ["metadata of Azure", "168.63.129.16"],
  ["link-local", "169.254.0.0", "169.254.255.255"],
  ["metadata of most clouds", "169.254.169.254"],
  ["private", "172.16.0.0", "172.31.255.255"],
  ["protocol assignments", "192.0.0.0", "192.0.0.255"],
  ["metadata of Oracle", "192.0.0.192"],
  ["documentation", "192.0.2.0", "192.0.2.255"],
  ["6to4 relays", "192.88.99.0", "192.88.99.255"],
  ["private", "192.168.0.0", "192.168.255.255"],
  ["benchmarks", "198.18.0.0", "198.19.255.255"],
  ["documentation", "198.51.100.0", "198.51.100.255"],
  ["documentation", "203.0.113.0", "203.0.113.255"],
  ["multicast", "224.0.0.0", "239.255.255.255"],
  ["reserved", "240.0.0.0", "255.255.255.254"],
  ["broadcast", "255.255.255.255"],
  ["unspecified", "::"],
  ["loopback", "::1"],
  ["IPv4-compatible", "::127.0.0.1", "::8.8.8.8"],
  ["IPv4-mapped", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::ffff:8.8.8.8"],
  ["IPv4-translated", "::ffff:0:127.0.0.1"],
  ["NAT64", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1"],
  ["discard", "100::1"],
  ["Teredo", "2001::1", "2001:0:ffff::1"],
  ["protocol assignments", "2001:1ff:ffff::1"],
  ["documentation", "2001:db8::1", "2001:db8:ffff::1", "3fff::1", "3fff:fff::1"],
  ["6to4", "2002:7f00:1::1", "2002::1"],
  ["segment routing", "5f00::1"],
  ["private", "fc00::1", "fdff:ffff::1"],
  ["metadata of Amazon", "fd00:ec2::254"],
  ["link-local", "fe80::1", "febf::1"],
  ["site-local", "fec0::1"],
  ["multicast", "ff00::1", "ff02::1", "ffff::1"],
  ["not assigned", "1fff::1", "4000::1", "8000::1"],
].flatMap(([why, ...addresses]) => addresses.map((address) => ({ why, address })));

const allowed = [
  ...["1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"],
  ...["126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0"],
  ...["172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0"],
  ...["192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0"],
  ...["203.0.112.255", "203.0.114.0", "223.255.255.255"],
  ...["2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1", "2003::1"],
  ...["2606:4700:4700::1111", "3ffe::1", "3fff:1000::1"],
];

describe("isPublic", () => {
  test.each(refused)("refuses $address ($why)", ({ address }) => {
    expect(isPublic(address)).toBe(false);
  });

  test.each(allowed)("allows %s", (address) => {
    expect(isPublic(address)).toBe(true);
  });
});

describe("isLoopback", () => {
  test.each(["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"])("is true of %s", (address) => {
    expect(isLoopback(address)).toBe(true);
  });

  test.each(["0.0.0.0", "126.0.0.1", "128.0.0.1", "::", "::2", "::127.0.0.1", "8.8.8.8", "169.254.169.254"])(
    "is false of %s",
    (address) => {
      expect(isLoopback(address)).toBe(false);
    },
  );
});
