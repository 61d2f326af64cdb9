// Where webhooks do not go: what test/webhook/url-table.test.ts tries at both doors.

/** Every range by its first and last address. */
export const ranges: Record<string, string[]> = {
  "this network": ["0.0.0.0", "0.255.255.255"],
  "private, of class A": ["10.0.0.0", "10.255.255.255"],
  "shared by carriers": ["100.64.0.0", "100.127.255.255"],
  "metadata of Alibaba": ["100.100.100.200"],
  loopback: ["127.0.0.0", "127.0.0.1", "127.255.255.255"],
  "metadata of Azure": ["168.63.129.16"],
  "link-local": ["169.254.0.0", "169.254.255.255"],
  "metadata of most clouds": ["169.254.169.254", "169.254.170.2"],
  "private, of class B": ["172.16.0.0", "172.31.255.255"],
  "protocol assignments": ["192.0.0.0", "192.0.0.255"],
  "metadata of Oracle": ["192.0.0.192"],
  "documentation, 1": ["192.0.2.0", "192.0.2.255"],
  "6to4 relays": ["192.88.99.0", "192.88.99.255"],
  "private, of class C": ["192.168.0.0", "192.168.255.255"],
  benchmarks: ["198.18.0.0", "198.19.255.255"],
  "documentation, 2": ["198.51.100.0", "198.51.100.255"],
  "documentation, 3": ["203.0.113.0", "203.0.113.255"],
  multicast: ["224.0.0.0", "239.255.255.255"],
  reserved: ["240.0.0.0", "255.255.255.254"],
  broadcast: ["255.255.255.255"],
  unspecified: ["::"],
  "loopback of IPv6": ["::1"],
  "IPv4-compatible": ["::127.0.0.1", "::8.8.8.8"],
  "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::ffff:8.8.8.8"],
  "IPv4-translated": ["::ffff:0:127.0.0.1"],
  NAT64: ["64:ff9b::", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b::ffff:ffff"],
  "NAT64 of one's own": ["64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"],
  discard: ["100::", "100::ffff:ffff:ffff:ffff"],
  Teredo: ["2001::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"],
  "protocol assignments of IPv6": ["2001:1::1", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"],
  "documentation of IPv6": ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff::1"],
  "6to4": ["2002::", "2002:7f00:1::", "2002:a9fe:a9fe::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  "segment routing": ["5f00::", "5f00:ffff::1"],
  "private, of IPv6": ["fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  "metadata of Amazon": ["fd00:ec2::254", "fd00:ec2::23"],
  "metadata of Google": ["fd20:ce::254"],
  "link-local of IPv6": ["fe80::", "febf:ffff::1", "fe80::5efe:127.0.0.1"],
  "site-local": ["fec0::", "feff::1"],
  "multicast of IPv6": ["ff00::", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  "not assigned": ["1fff:ffff::1", "4000::", "8000::1"],
};

/** The addresses just outside of them, as far as they are public. */
export const neighbours = [
  ...["1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"],
  ...["168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0"],
  ...["191.255.255.255", "192.0.1.0", "192.0.1.255", "192.0.3.0", "192.88.98.255", "192.88.100.0"],
  ...["192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0"],
  ...["203.0.112.255", "203.0.114.0", "223.255.255.255", "8.8.8.8"],
  ...["2000::", "2001:200::", "2001:4860:4860::8888", "2001:db7:ffff:ffff::", "2001:db9::", "2003::"],
  ...["2606:4700:4700::1111", "3ffe:ffff::", "3fff:1000::"],
];

/** What a URL can make of an address: the parser turns all of these into the usual notation. */
export const notations: Record<string, string[]> = {
  dotted: ["http://127.0.0.1", "http://169.254.169.254/latest/meta-data"],
  decimal: ["http://2130706433", "http://2852039166"],
  octal: ["http://0177.0.0.1", "http://017700000001", "http://0251.0376.0251.0376"],
  hexadecimal: ["http://0x7f000001", "http://0x7f.0x0.0x0.0x1", "http://0xA9FEA9FE"],
  mixed: ["http://0x7f.1", "http://169.0376.0xa9fe"],
  short: ["http://127.1", "http://127.0.1", "http://0", "http://10.1", "http://169.254.43518"],
  "with zeros in front": ["http://127.0000.0.01"],
  "with a dot behind": ["http://127.0.0.1.", "http://169.254.169.254."],
  "percent-encoded": ["http://%31%32%37.0.0.1", "http://127%2e0%2e0%2e1"],
  "of full width": ["http://１２７.0.0.1", "http://127。0。0。1", "http://①②⑦.⓪.⓪.①"],
  "IPv6 in brackets": ["http://[::1]", "http://[0:0:0:0:0:0:0:1]", "http://[0000:0000::0001]", "http://[::]"],
  "IPv4-mapped": ["http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]", "http://[0:0:0:0:0:ffff:a9fe:a9fe]"],
  "with a port": ["https://127.0.0.1:443", "http://10.0.0.1:8080", "https://[::1]:8443", "http://127.0.0.1:80"],
  "with letters of any case": ["HTTP://LOCALHOST", "http://LocalHost"],
  "as a name": ["http://localhost", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "http://ｌocalhost"],
};

/** Refused for what they are, before it is asked whose address it is. */
export const malformed: Record<string, string[]> = {
  "with a user or a password": ["http://me@8.8.8.8", "http://8.8.8.8@127.0.0.1", "http://:secret@example.com"],
  "with a fragment": ["http://8.8.8.8/#here", "http://8.8.8.8/#", "http://127.0.0.1#@8.8.8.8"],
  "with a user that looks like a host": ["http://example.com:80@127.0.0.1/", "http://8.8.8.8%2f@127.0.0.1/"],
  "without a host": ["http://", "http://:80", "http://?"],
  "with a port that there is not": ["http://8.8.8.8:65536", "http://8.8.8.8:-1", "http://8.8.8.8:80:80"],
  "with an address that is none": ["http://256.256.256.256", "http://127.0.0.1.1", "http://0x100000000", "http://[::1"],
  "with a zone": ["http://[fe80::1%25eth0]", "http://[fe80::1%eth0]"],
  "with a character that no host has": ["http://127.0.0.1%00.example.com", "http://a b", "http://exa<mple.com"],
};

/** What a resolver may answer for a name. One address that is refused is enough. */
export const answers: Record<string, string[]> = {
  "a name of a wildcard service, with the address in it": ["127.0.0.1"],
  "metadata alone": ["169.254.169.254"],
  "a private address of IPv6 alone": ["fd00::1"],
  "IPv4-mapped metadata": ["::ffff:169.254.169.254"],
  "NAT64 metadata": ["64:ff9b::a9fe:a9fe"],
  "a public address, then a private one": ["8.8.8.8", "10.0.0.1"],
  "a private address, then a public one": ["192.168.1.1", "8.8.8.8"],
  "a public address of IPv4, a private one of IPv6": ["1.1.1.1", "fc00::1"],
  "a public address of IPv6, loopback of IPv4": ["2606:4700:4700::1111", "127.0.0.1"],
  "many public addresses, and one loopback": ["1.1.1.1", "8.8.8.8", "9.9.9.9", "2000::1", "::1"],
  "the address of no host": ["0.0.0.0"],
  "a link-local address with its zone": ["fe80::1%lo"],
};

/** Metadata in other clothes. */
export const disguised: Record<string, string[]> = {
  "metadata in other clothes": [
    ...["::ffff:169.254.169.254", "::ffff:100.100.100.200", "::169.254.169.254", "::ffff:0:169.254.169.254"],
    ...["64:ff9b::a9fe:a9fe", "64:ff9b::6464:64c8", "64:ff9b::a83f:8110", "64:ff9b::c000:c0", "64:ff9b:1::a9fe:a9fe"],
    ...["2002:a9fe:a9fe::", "2002:6464:64c8::1", "2001:0:4136:e378:8000:63bf:5601:5601", "fe80::a9fe:a9fe"],
  ],
};
