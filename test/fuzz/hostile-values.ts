// What a caller may send where the contract has a value: the last that is good, the first that is not, and what has broken
// others. Written as JSON's values; texts are good somewhere, so each is tried everywhere.

/** Texts that some field takes. Which, its rules say. */
export const goodTexts: readonly string[] = [
  ...["", "a", "1", "0", "10", "0.1", "12.5", "999999999999.999999999999999999", "12345678901234567890.123456789012"],
  ...["100", "99.9", "USD", "JPY", "KWD", "EUR", "Europe/Berlin", "UTC", "America/New_York", "Pacific/Apia"],
  ...["*", "invoice.*", "invoice.finalized", "usage.threshold_reached", "PutCustomer", "INV-000001", "ACME-"],
  ...["http://localhost:1/", "https://[::1]:1/hook?x=%00", "10.0.0.0/8", "::1/128", "0.0.0.0/0"],
  ...["ip", "region", "constructor", "x-token", "Ada Lovelace", "de", "DE", "DE123456789", "ada@example.com"],
  ...["whsec_MADEUPr8GKYqrTwjUPD8ILPZIo2LaLwMfKQ9r8GKYqr", "uf_test_", "AAAA", "é".repeat(64), "a".repeat(255)],
];

/** Texts that few fields take, and those should not mind. */
export const wildTexts: readonly string[] = [
  ...[
    "\0",
    "a\0b",
    "\r\nset-cookie: a=b",
    "\n",
    "\t",
    "\u007f",
    "\u0085",
    "\u2028",
    "\ufeff",
    "\u202egnp.exe",
    "مرحبا",
  ],
  ...["a/b", "../../etc/passwd", "%00", "%s%n", "a'b", "'; drop table tenant; --", '"', "\\", "$(1)", "{{x}}", "$1"],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "null", "undefined", "true", "[object Object]"],
  ...[
    "a".repeat(256),
    "a".repeat(65),
    "a".repeat(1001),
    "a".repeat(5000),
    "😀".repeat(255),
    "é".repeat(256),
    "\u{10ffff}",
  ],
  ...["-1", "+1", "01", "1.", ".5", "1e3", "1E400", "1e-400", "1e1000000000", "0x10", "1_000", "1,5", " 1", "1 ", "-0"],
  ...["NaN", "Infinity", "9".repeat(20), "9".repeat(21), "9".repeat(39), `0.${"1".repeat(12)}`, `0.${"1".repeat(13)}`],
  ...["99999999999999999999.999999999999", "999999999999", "1000000000000", `0.${"0".repeat(17)}1`, "١٢", "1\u0000"],
  ...["ZZZ", "XXX", "usd", "US", "Mars/Olympus", "Europe/Berlin ", "posix/Europe/Berlin", "+25:00", "Etc/GMT+14"],
  ...["http://127.0.0.1:1/", "http://169.254.169.254/", "http://[::ffff:10.0.0.1]/", "http://0x7f000001/", "http://%/"],
  ...[
    "http://a:b@localhost/",
    "http://localhost:99999/",
    "file:///etc/passwd",
    "http://[",
    "https://xn--/",
    "javascript:1",
  ],
  ...[
    "inv_0000000000000000000000",
    "inv_zzzzzzzzzzzzzzzzzzzzzz",
    "whe_0000000000000000000000",
    "INV-999999999999999999",
  ],
  ...["sub_7n42DGM5Tflk9n8mt7Fhc7", "key_7n42DGM5Tflk9n8mt7Fhc8", "evt_zzzzzzzzzzzzzzzzzzzzzz", "inv_", "_"],
  ...[
    "300.1.1.1/8",
    "10.0.0.0/33",
    "::/129",
    "1.2.3.4/08",
    ":::/0",
    "whsec_",
    "whsec_AAAA",
    `whsec_MADEUP${"A".repeat(80)}==`,
  ],
  ...["**", "*.*", "invoice.", ".finalized", "nothing.happened", "[", "(a+)+$", "a".repeat(40).concat("!")],
  ...[
    "eyJhbGciOiJub25lIn0",
    "AAAAAAAAAAAAAAAAAAAAAAAA",
    "_".repeat(2048),
    "A".repeat(2049),
    "////",
    "====",
    "AAAAAAAAAAAAAAAAAA==",
  ],
];

/** Points in time. The tenants' clocks stand in May of 2015. */
export const goodTimes: readonly string[] = [
  ...["2015-05-21T00:00:00Z", "2015-05-01T00:00:00Z", "2015-06-01T00:00:00Z", "2015-05-20T12:34:56.789Z"],
  ...["2015-06-02T00:00:00.000001Z", "1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999999999Z", "2016-02-29T00:00:00Z"],
];

/** Points in time that are none, that few would send, or that a clock leaves out. */
export const wildTimes: readonly string[] = [
  ...[
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "1969-12-31T23:59:59.999999999Z",
    "2200-01-01T00:00:00Z",
  ],
  ...["2015-03-29T02:30:00+01:00", "2015-03-29T01:30:00Z", "2015-10-25T00:30:00Z", "2011-12-30T12:00:00-10:00"],
  ...["2016-12-31T23:59:60Z", "2015-02-29T00:00:00Z", "2015-13-01T00:00:00Z", "2015-05-21", "yesterday", "", "0"],
  ...[
    "2015-05-21T00:00:00",
    "2015-05-21 00:00:00Z",
    "+002015-05-21T00:00:00Z",
    "2015-05-21T24:00:00Z",
    "2014-04-15T00:00:00Z",
  ],
];

/** Spans of time. */
export const goodSpans: readonly string[] = ["0s", "1s", "3600s", "86400s", "604800s", "2678400s", "0.5s"];

/** Spans that are too long, negative, or none. */
export const wildSpans: readonly string[] = [
  ...["-1s", "-0.000000001s", "0.000000001s", "604800.000000001s", "315576000s", "315576001s", "315576000000s"],
  ...["315576000001s", "9223372036854775808s", "1", "1h", "s", "", "NaNs", "1e3s"],
];

/** Whole numbers. */
export const goodWholes: readonly number[] = [0, 1, 2, 3, 10, 30, 100, 1000];

/** Whole numbers at and beyond the edges, and what is not whole. */
export const wildWholes: readonly (number | string)[] = [
  ...[-1, 1001, 10_000, 10_001, 1_000_000, 1_000_001, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 1.5, -0, 1e21],
  ...["9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e3", "", " 1", "NaN"],
];

/** How many things a list has, when it has many: the largest numbers that lists of the contract take, and one more. */
export const wildCounts: readonly number[] = [8, 9, 10, 11, 20, 21, 32, 33, 50, 51, 100, 101, 1000, 1001];
