import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readConfig } from "../server/config.ts";

const key = () => randomBytes(32).toString("base64");
const env = {
  DATABASE_URL: "postgres:",
  USAGEFLOW_WORKER_DATABASE_URL: "postgres:",
  USAGEFLOW_MASTER_KEY: key(),
  USAGEFLOW_KEY_PEPPER: key(),
};
const half = randomBytes(16);
const base64 = (text: string) => Buffer.from(text).toString("base64");

/** What people put in the place of a random key. */
const weak: Record<string, string> = {
  nothing: "",
  "a word": "changeme",
  "too short a key": randomBytes(16).toString("base64"),
  "too long a key": randomBytes(33).toString("base64"),
  "a random key in hex": randomBytes(32).toString("hex"),
  "a random key and a blank": `${key()} `,
  zeros: Buffer.alloc(32).toString("base64"),
  "one letter many times": `${"A".repeat(43)}=`,
  "a word many times": `${"Changeme".repeat(6).slice(0, 42)}0=`,
  "counted bytes": Buffer.from(Array.from({ length: 32 }, (_, place) => place)).toString("base64"),
  "bytes counted by threes": Buffer.from(Array.from({ length: 32 }, (_, place) => place * 3)).toString("base64"),
  "a short key twice": Buffer.concat([half, half]).toString("base64"),
  "a phrase in base64": base64("correct-horse-battery-staple-123"),
  "small letters": "correcthorsebatterystaplewithninemorewords0=",
};

describe.each(["USAGEFLOW_MASTER_KEY", "USAGEFLOW_KEY_PEPPER", "USAGEFLOW_OPERATOR_KEY"])("%s", (name) => {
  // Nobody needs to be the operator.
  const wrong = Object.entries(weak).filter(([, value]) => name !== "USAGEFLOW_OPERATOR_KEY" || value !== "");
  test.each(wrong)("is not %s, and the error says what to do and repeats no key", (_, value) => {
    const read = () => readConfig({ ...env, [name]: value });
    expect(read).toThrow(new RegExp(`${name} .*openssl rand -base64 32`));
    if (value !== "") expect(read).not.toThrow(value);
  });

  test("is 32 random bytes", () => {
    // Not of a seed: what the operator's own generator makes has to pass, whatever it is.
    const some = Array.from({ length: 2_000 }, (_, place) => createHash("sha256").update(`${place}`).digest("base64"));
    for (const value of some) expect(() => readConfig({ ...env, [name]: value })).not.toThrow();
  });
});

test("one key is not taken for both", () => {
  const same = env.USAGEFLOW_MASTER_KEY;
  expect(() => readConfig({ ...env, USAGEFLOW_KEY_PEPPER: same })).toThrow("must be another than");
});

test("the operator's key is none of the server's own, and there need not be one", () => {
  for (const own of [env.USAGEFLOW_MASTER_KEY, env.USAGEFLOW_KEY_PEPPER]) {
    expect(() => readConfig({ ...env, USAGEFLOW_OPERATOR_KEY: own })).toThrow("USAGEFLOW_OPERATOR_KEY must be another");
  }
  expect(readConfig(env).operatorKey).toBeUndefined();
});

test("other keys are a list, and each of them is held to the same", () => {
  const [one, two] = [key(), key()];
  const config = readConfig({
    ...env,
    USAGEFLOW_OTHER_MASTER_KEYS: `${one}, ${two}`,
    USAGEFLOW_OTHER_KEY_PEPPERS: two,
  });
  expect(config.otherMasterKeys.map((bytes) => bytes.toString("base64"))).toEqual([one, two]);
  expect(config.otherKeyPeppers.map((bytes) => bytes.toString("base64"))).toEqual([two]);
  expect(readConfig(env)).toMatchObject({ otherMasterKeys: [], otherKeyPeppers: [], trustedProxies: [] });
  const wrong = { ...env, USAGEFLOW_OTHER_MASTER_KEYS: `${one},changeme` };
  expect(() => readConfig(wrong)).toThrow("each key of USAGEFLOW_OTHER_MASTER_KEYS must be 32 random bytes");
});

test("metrics and traces are off until somebody says where they go", () => {
  const off = readConfig(env);
  expect(off).toMatchObject({ metricsToken: undefined, metricsPort: undefined, otlpTracesUrl: undefined });
  expect(off.otlpMetricsUrl).toBeUndefined();
  const on = readConfig({
    ...env,
    USAGEFLOW_METRICS_PORT: "9464",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://tempo:4318/in",
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.01",
  });
  expect(on).toMatchObject({
    metricsPort: 9464,
    metricsHost: "127.0.0.1",
    otlpMetricsUrl: "http://collector:4318/v1/metrics",
    otlpTracesUrl: "http://tempo:4318/in",
    traceShare: 0.01,
    traceByCaller: true,
  });
  const other = { OTEL_TRACES_SAMPLER: "always_off", OTEL_METRICS_EXPORTER: "none" };
  const half = readConfig({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318", ...other });
  expect(half).toMatchObject({ otlpMetricsUrl: undefined, traceShare: 0, traceByCaller: false });
  const disabled = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318", OTEL_SDK_DISABLED: "true" };
  expect(readConfig({ ...env, ...disabled }).otlpTracesUrl).toBeUndefined();
});

test.each([
  ["USAGEFLOW_METRICS_TOKEN", "short"],
  ["USAGEFLOW_METRICS_PORT", "no port"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector"],
  ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "ftp://user:password@collector"],
  ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
  ["OTEL_TRACES_SAMPLER", "sometimes"],
  ["OTEL_METRIC_EXPORT_INTERVAL", "often"],
  ["USAGEFLOW_LOG_LEVEL", "loud"],
])("%s is not %s", (name, value) => {
  const read = () => readConfig({ ...env, [name]: value });
  expect(read).toThrow(name);
  expect(read).not.toThrow("password");
});

test("a share of traces is from 0 to 1", () => {
  const sampler = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" };
  expect(() => readConfig({ ...env, ...sampler })).toThrow("OTEL_TRACES_SAMPLER_ARG");
});

test("a number that no timer, no port and no calendar takes is refused, and not taken for none at all", () => {
  const wrong = {
    USAGEFLOW_REQUEST_TIMEOUT_MS: "9999999999", // setTimeout would end each call at once
    USAGEFLOW_CONNECTION_IDLE_MS: "2147483648",
    USAGEFLOW_PORT: "65536",
    USAGEFLOW_HEALTH_PORT: "80800",
    USAGEFLOW_ORGANIZATION_DELETION_DAYS: "100000001",
    USAGEFLOW_STATEMENT_TIMEOUT_MS: "0",
  };
  for (const [name, value] of Object.entries(wrong)) {
    expect(() => readConfig({ ...env, [name]: value })).toThrow(`${name} must be a whole number from `);
  }
  const longest = { ...env, USAGEFLOW_REQUEST_TIMEOUT_MS: "2147483647", USAGEFLOW_ANSWER_RETENTION_MS: "2592000000" };
  expect(readConfig(longest)).toMatchObject({ requestTimeoutMs: 2 ** 31 - 1, answerRetentionMs: 30 * 86_400_000 });
});
