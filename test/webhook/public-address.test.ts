import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { defaults, readConfig } from "../../server/config.ts";
import { isLoopback } from "../../server/webhook/public-address.ts";

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

describe("the ranges that an operator allows", () => {
  const key = () => randomBytes(32).toString("base64");
  const env = {
    DATABASE_URL: "postgres://app@db/usageflow",
    USAGEFLOW_WORKER_DATABASE_URL: "postgres://worker@db/usageflow",
    USAGEFLOW_MASTER_KEY: key(),
    USAGEFLOW_KEY_PEPPER: key(),
  };
  const read = (value: string) => readConfig({ ...env, USAGEFLOW_DELIVERY_ALLOWED_CIDRS: value }).deliveryAllowedCidrs;

  test("are read from the environment, and are none at first", () => {
    expect(read(" 10.0.0.0/8, fd00::/8,::ffff:10.0.0.0/104,0.0.0.0/0,")).toEqual([
      "10.0.0.0/8",
      "fd00::/8",
      "::ffff:10.0.0.0/104",
      "0.0.0.0/0",
    ]);
    expect(readConfig(env).deliveryAllowedCidrs).toEqual(defaults.deliveryAllowedCidrs);
  });

  test.each(["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "fd00::%1/8", "10.0.0.0/8/8", "here", "10.0.0.0/-1"])(
    "are not %s",
    (value) => {
      expect(() => read(value)).toThrow(`has "${value}"`);
    },
  );
});
