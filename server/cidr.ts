import { BlockList, isIP, isIPv4 } from "node:net";

/** Whether a text is a range of IP addresses, such as `10.0.0.0/8`. */
export function isCidr(text: string): boolean {
  const [, address = "", bits] = text.match(/^([\d.]+|[\da-f:.]+)\/(\d{1,3})$/i) ?? [];
  const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return Number(bits) <= longest;
}

/** Ranges to look addresses up in. */
export function ranges(...cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = "", bits] = cidr.split("/");
    list.addSubnet(address, Number(bits), isIPv4(address) ? "ipv4" : "ipv6");
  }
  return list;
}

/** Whether an IP address is in one of the ranges. IPv4 in the clothes of IPv6 (`::ffff:10.0.0.1`) is seen through. */
export function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

/** Whether every address of a range is in one of the others. What several ranges cover only together does not count. */
export function isWithin(cidr: string, others: readonly string[]): boolean {
  const [address = "", bits] = cidr.split("/");
  return others.some((other) => {
    const [otherAddress = "", otherBits] = other.split("/");
    const sameKind = isIPv4(address) === isIPv4(otherAddress);
    return sameKind && Number(otherBits) <= Number(bits) && contains(ranges(other), address);
  });
}
