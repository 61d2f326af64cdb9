import type { ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { detailOf } from "../../server/rpc/errors.ts";
import { checkUrl } from "../../server/webhook/endpoint-url.ts";

function refusalOf(url: string, emulator: boolean) {
  return checkUrl(url, emulator).then(
    () => "accepted",
    (error: ConnectError) => detailOf(error),
  );
}

describe("checkUrl", () => {
  test.each([
    ["a user", "http://me@localhost:4000"],
    ["a password", "http://:secret@localhost:4000"],
    ["a fragment", "http://localhost:4000/#here"],
    ["an empty fragment", "http://localhost:4000/#"],
    ["no host", "http://"],
    ["no port that there is", "http://localhost:99999"],
    ["an address that is none", "http://256.256.256.256"],
  ])("refuses a URL with %s", async (_, url) => {
    expect(await refusalOf(url, true)).toEqual({ reason: ErrorReason.INVALID_FIELD, field: "url" });
  });

  // In all notations that the parser knows.
  test.each([
    "http://127.0.0.1/",
    "https://127.1:8443/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://2130706433/",
    "http://%31%32%37.0.0.1/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://169.254.169.254/latest/meta-data",
    "http://localhost:4000/",
  ])("refuses %s outside the emulator", async (url) => {
    expect(await refusalOf(url, false)).toEqual({ reason: ErrorReason.ADDRESS_REFUSED, field: "url" });
  });

  test.each(["https://8.8.8.8/", "http://10.0.0.1/", "http://169.254.169.254/", "http://[::ffff:8.8.8.8]/"])(
    "refuses %s in the emulator",
    async (url) => {
      expect(await refusalOf(url, true)).toEqual({ reason: ErrorReason.ADDRESS_REFUSED, field: "url" });
    },
  );

  test.each(["http://localhost:4000/webhooks?a=b", "http://127.0.0.1:1", "http://[::1]:4000", "https://127.9.9.9"])(
    "accepts %s in the emulator",
    async (url) => {
      expect(await refusalOf(url, true)).toBe("accepted");
    },
  );

  test("accepts public addresses, and a name that does not resolve yet", async () => {
    expect(await refusalOf("https://8.8.8.8/webhooks", false)).toBe("accepted");
    expect(await refusalOf("http://[2606:4700:4700::1111]:8080/", false)).toBe("accepted");
    expect(await refusalOf("https://soon.invalid/", false)).toBe("accepted");
  });
});
