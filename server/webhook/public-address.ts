import { isIPv4 } from "node:net";
import { contains, ranges } from "../cidr.ts";

// Where webhooks do not go: addresses that mean something else inside a network than outside of it. From the registries
// of special-purpose addresses (RFC 6890 and its updates), and the metadata services of clouds.
const refused = ranges(
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private
  "100.64.0.0/10", // shared by carriers; metadata at 100.100.100.200
  "127.0.0.0/8", // loopback
  "168.63.129.16/32", // metadata, though the address is a public one
  "169.254.0.0/16", // link-local; metadata at 169.254.169.254
  "172.16.0.0/12", // private
  "192.0.0.0/24", // protocol assignments; metadata at 192.0.0.192
  "192.0.2.0/24", // documentation
  "192.88.99.0/24", // 6to4 relays
  "192.168.0.0/16", // private
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and broadcast
  "2001::/23", // protocol assignments; Teredo, which carries IPv4, is 2001::/32
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4, which carries IPv4
  "3fff::/20", // documentation
);

// All that is public in IPv6 is in here. Outside are loopback and unspecified (::/96), discard (100::/64), segment routing
// (5f00::/16), private (fc00::/7, with metadata at fd00:ec2::254), link-local (fe80::/10), site-local (fec0::/10),
// multicast (ff00::/8), and IPv4 in other clothes (::ffff:0:0/96, ::ffff:0:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48).
const globalIpv6 = ranges("2000::/3");

// What no operator can allow: metadata services, and IPv4 in clothes in which one could be hidden. NAT64's own prefix is
// not among these, because in a network that has IPv6 alone every receiver may be behind it.
const neverAllowed = ranges(
  "169.254.0.0/16", // of most clouds, and credentials of containers
  "100.100.100.200/32", // Alibaba
  "168.63.129.16/32", // Azure
  "192.0.0.192/32", // Oracle
  "fe80::/10", // link-local
  "fd00:ec2::/32", // Amazon
  "fd20:ce::/32", // Google
  "::/96", // IPv4-compatible, save for ::1
  "::ffff:0:0:0/96", // IPv4-translated
  "64:ff9b::a9fe:0/112", // NAT64, as above
  "64:ff9b::6464:64c8/128",
  "64:ff9b::a83f:8110/128",
  "64:ff9b::c000:c0/128",
  "64:ff9b:1::/48", // NAT64 with a prefix of one's own
  "2001::/32", // Teredo
  "2002::/16", // 6to4
);

const loopback = ranges("127.0.0.0/8", "::1/128");

/** Whether an IP address is one of the public internet. */
export function isPublic(address: string): boolean {
  return (isIPv4(address) || globalIpv6.check(address, "ipv6")) && !contains(refused, address);
}

/** Whether an IP address is one on which a machine talks to itself. ::ffff:127.0.0.1 is: a BlockList sees through it. */
export function isLoopback(address: string): boolean {
  return contains(loopback, address);
}

/** Whether an IP address is in one of the ranges that an operator allows, and no metadata service. */
export function isAllowed(address: string, cidrs: readonly string[]): boolean {
  if (cidrs.length === 0 || !contains(ranges(...cidrs), address)) return false;
  return isLoopback(address) || !contains(neverAllowed, address);
}
