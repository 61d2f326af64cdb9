import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { startApi, startHealthPort } from "../server/api.ts";
import { defaults } from "../server/config.ts";
import { createReadinessCheck } from "../server/readiness.ts";
import { makeCertificate } from "./support/certificate.ts";
import { setup } from "./support/harness.ts";

// There is no container engine in a test: what can be known of these files by reading them.

const root = new URL("../", import.meta.url).pathname;
const read = (name: string) => readFile(`${root}docs/operations/${name}`, "utf8");
const settings = (await readFile(`${root}docs/configuration.md`, "utf8")).match(
  /\b(?:USAGEFLOW_[A-Z_]*[A-Z]|DATABASE_URL)\b/g,
);
// A stop says that it is not ready, lets calls in flight end, and webhooks under way be answered.
const STOP_MS = 5_000 + defaults.shutdownGraceMs + defaults.deliveryTimeoutMs;

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  stop_grace_period?: string;
  restart: string;
}

test("the Containerfile copies what there is, builds without scripts of packages, and runs as nobody special", async () => {
  const lines = (await read("Containerfile")).replaceAll("\\\n", " ").split("\n");
  const steps = lines.filter((line) => /^[A-Z]/.test(line)).map((line) => line.split(/\s+/));
  const finalAt = steps.findLastIndex(([word]) => word === "FROM");
  const [build, final] = [steps.slice(0, finalAt), steps.slice(finalAt)];
  const copied = [...build, ...final].filter(([word, from]) => word === "COPY" && !from?.startsWith("--from="));
  const sources = copied.flatMap((step) => step.slice(1, -1));
  expect(sources.filter((source) => !existsSync(root + source))).toEqual([]);
  // Everything that tsc compiles, and everything that the package ships and the build does not make.
  const { include } = JSON.parse(await readFile(`${root}tsconfig.json`, "utf8"));
  expect(sources).toEqual(expect.arrayContaining([...include, "package.json", "package-lock.json", "tsconfig.json"]));
  const { files } = JSON.parse(await readFile(`${root}package.json`, "utf8"));
  const there = final.filter(([word]) => word === "COPY").flatMap((step) => step.slice(1));
  expect(files.filter((file: string) => !there.some((one) => one === file || one.endsWith(`/${file}`)))).toEqual([]);
  const text = lines.join("\n");
  expect(text).toMatch(/npm ci .*--ignore-scripts/);
  expect(text).toMatch(/npm prune --omit=dev/);
  const words = final.map(([word]) => word);
  expect(final.find(([word]) => word === "USER")?.[1]).toBe("node");
  expect(words.indexOf("USER")).toBeLessThan(words.indexOf("ENTRYPOINT"));
  expect(final.find(([word]) => word === "HEALTHCHECK")?.join(" ")).toMatch(/ CMD \["node", "health.mjs"\]$/);
  expect(there).toContain("health.mjs");
  expect(final[0]?.[1]).toBe(build[0]?.[1]);
  expect(final[0]?.[1]).toMatch(/\/node:24-/); // that which runs the tests
  expect(process.version).toMatch(/^v24\./);
});

test("the health check of a container asks an API and a worker, over TLS and without, and believes what they say", async () => {
  const harness = await setup();
  const folder = await mkdtemp(join(tmpdir(), "usageflow-health-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  const { cert, key } = makeCertificate({ name: "api.example.com", validUntil: new Date(Date.now() + 86_400_000) });
  await writeFile(tls.certFile, cert);
  await writeFile(tls.keyFile, key);
  const checked = (env: Record<string, string>) =>
    promisify(execFile)(process.execPath, [`${root}docs/operations/health.mjs`], { env }).then(
      () => "healthy",
      (error) => `exit ${error.code}`,
    );
  for (const [name, config] of Object.entries({ plain: {}, tls: { tls } })) {
    const app = await harness.addApp({ ...config, healthPort: 0 });
    const own = { ...("tls" in config ? { USAGEFLOW_TLS_CERT_FILE: tls.certFile } : {}) };
    const [apiReadiness, workerReadiness] = [createReadinessCheck(app), createReadinessCheck(app)];
    const api = await startApi(app, apiReadiness);
    const worker = await startHealthPort(app, workerReadiness);
    onTestFinished(async () => void (await Promise.all([api.close(), worker?.close()])));
    const asApi = () => checked({ ...own, USAGEFLOW_PORT: `${api.port}`, USAGEFLOW_HEALTH_PORT: "1" });
    const asWorker = () => checked({ ...own, USAGEFLOW_PORT: "1", USAGEFLOW_HEALTH_PORT: `${worker?.port}` });
    expect([name, await asApi(), await asWorker()]).toEqual([name, "healthy", "healthy"]);
    apiReadiness.stop();
    workerReadiness.stop();
    expect([name, await asApi(), await asWorker()]).toEqual([name, "exit 1", "exit 1"]);
  }
  expect(await checked({ USAGEFLOW_PORT: "1" })).toBe("exit 1");
});

test("the compose file starts the server after its schema and its logins, with settings that there are", async () => {
  const file = parse(await read("compose.yaml"), { merge: true });
  const services: Record<string, Service> = file.services;
  expect(Object.keys(services)).toEqual(["postgres", "migrate", "logins", "api", "worker"]);
  for (const [name, { depends_on = {}, environment = {}, stop_grace_period }] of Object.entries(services)) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      const ends = services[other]?.restart === "no";
      expect([name, other, condition]).toEqual([
        ...[name, other],
        ends ? "service_completed_successfully" : "service_healthy",
      ]);
    }
    const own = Object.keys(environment).filter((variable) => /^(USAGEFLOW|DATABASE)/.test(variable));
    expect([name, own.filter((variable) => !settings?.includes(variable))]).toEqual([name, []]);
    if (["api", "worker"].includes(name))
      expect(Number.parseInt(stop_grace_period ?? "0", 10) * 1_000).toBeGreaterThan(STOP_MS);
  }
  const used = new Set(JSON.stringify(file).match(/(?<=\$\{)[A-Z_]+/g));
  const env = await read("compose.env");
  expect([...used].sort()).toEqual((env.match(/^[A-Z_]+(?==)/gm) ?? []).sort());
  for (const role of ["api", "worker"]) expect(services[role]?.command).toEqual(["serve", "--role", role]);
});

test("the unit of systemd is one that systemd takes, and gives a stop its time", async () => {
  const unit = await read("usageflow@.service");
  expect(unit).toMatch(/^ExecStart=\S+\/usageflow serve --role %i$/m);
  expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) * 1_000).toBeGreaterThan(STOP_MS);
  expect(unit).not.toMatch(/^User=root/m);
  for (const line of ["DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="]) {
    expect(unit).toMatch(new RegExp(`^${line}$`, "m"));
  }
  const analyze = "/usr/bin/systemd-analyze";
  if (!existsSync(analyze)) return;
  const told = execFileSync(
    analyze,
    ["security", "--offline=true", "--threshold=30", `${root}docs/operations/usageflow@.service`],
    {
      encoding: "utf8",
      env: { ...process.env, SYSTEMD_PAGER: "" },
    },
  );
  expect(told).toMatch(/Overall exposure level.*OK/);
});
