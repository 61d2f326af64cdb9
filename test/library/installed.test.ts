import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { build, type Metafile } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listEventTypes } from "../../server/webhook/event-schema.ts";
import { makeScratch } from "../support/scratch.ts";

// The package as others get it: packed, unpacked into another project, beside the packages that it declares and no others.

const root = new URL("../../", import.meta.url).pathname;
const run = promisify(execFile);
let project: string;

beforeAll(async () => {
  project = await makeScratch("usageflow-consumer-");
  const packed = ["pack", "--ignore-scripts", "--pack-destination", project];
  execFileSync("npm", packed, { cwd: root, stdio: ["ignore", "ignore", "ignore"] });
  const modules = join(project, "node_modules");
  await mkdir(join(modules, "usageflow"), { recursive: true });
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  execFileSync("tar", [
    "xzf",
    join(project, `usageflow-${manifest.version}.tgz`),
    "-C",
    join(modules, "usageflow"),
    "--strip-components=1",
  ]);
  // What npm would install with it, and what a TypeScript project has.
  for (const name of [...Object.keys(manifest.dependencies), "@types/node", "undici-types"]) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, "node_modules", name), join(modules, name), "dir");
  }
  await writeFile(join(project, "package.json"), '{ "name": "consumer", "private": true, "type": "module" }');
});

afterAll(() => rm(project, { recursive: true, force: true }));

/** What the compiler says of a program, under the strictest rules. */
async function compile(name: string, text: string, options: object = {}): Promise<string> {
  await writeFile(join(project, name), text);
  const compilerOptions = {
    ...{
      target: "es2023",
      lib: ["es2023", "dom", "esnext.disposable"],
      module: "nodenext",
      types: ["node"],
      strict: true,
    },
    ...{ noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, noImplicitOverride: true },
    ...{ verbatimModuleSyntax: true, isolatedModules: true, skipLibCheck: false, outDir: "out", rootDir: "." },
    ...options,
  };
  await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [name] }));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { stdout } = await run(process.execPath, [tsc, "-p", project]).catch((error) => error);
  return stdout.replaceAll(project, "");
}

/** A bundle of a program, as a project's own build makes it. */
async function bundle(text: string): Promise<{ text: string; inputs: string[] }> {
  const { metafile, outputFiles } = await build({
    stdin: { contents: text, resolveDir: project },
    ...{ bundle: true, format: "esm", platform: "node", target: "node22", write: false, metafile: true, minify: true },
  });
  const [output] = Object.values((metafile as Metafile).outputs);
  const inputs = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return { text: outputFiles[0]?.text ?? "", inputs: inputs.map(([path]) => path.replace(/.*node_modules\//, "")) };
}

test("a strict project compiles against it, payloads of every type of event included", async () => {
  const samples = listEventTypes().eventTypes.map(({ type, sample }, at) => {
    const event = JSON.stringify({ id: "evt_1", ...sample });
    return `export const event${at}: WebhookEventOf<${JSON.stringify(type)}> = ${event};`;
  });
  const program = `
    import { createClient, createTracker, UsageFlowError, verifyWebhook, type WebhookEvent, type WebhookEventOf } from "usageflow";
    import { createTracker as alone } from "usageflow/tracker";
    import { verify } from "usageflow/webhooks";
    import { webhookListener } from "usageflow/webhooks/handler";
    import { InvoiceState } from "usageflow/v1/invoice";

    export async function paid(): Promise<bigint[]> {
      const client = createClient({ url: "http://localhost", apiKey: "uf_test_", protocol: "grpc" });
      try {
        const { invoices } = await client.invoice.listInvoices({ pageSize: 10 });
        return invoices.filter(({ state }) => state === InvoiceState.PAID).map(({ totalMinor }) => totalMinor);
      } catch (error) {
        if (error instanceof UsageFlowError && error.reason === "PERMISSION_DENIED") return [];
        throw error;
      }
    }
    export async function track(): Promise<number> {
      await using tracker = createTracker({ url: "http://localhost", accessToken: "uf_pat_", tenant: "live" });
      const receipt = tracker.track({ metric: "API_CALL", amount: 1n, customerId: "a" });
      return receipt.queued ? 0 : receipt.error.message.length;
    }
    export function told(event: WebhookEvent): string {
      switch (event.type) {
        case "invoice.paid": return event.data.invoice.customerId;
        case "subscription.ended": return event.data.subscription.id;
        default: return event.type;
      }
    }
    export const all = [alone, verify, verifyWebhook, webhookListener({ secret: "whsec_AAAA" }, (event) => void told(event))];
    ${samples.join("\n")}
  `;
  // The compiler's one complaint is of the mistake: without the type of an event its facts are not known.
  const mistake = "export const mistake = (event: WebhookEvent) => event.data.invoice;";
  const said = (await compile("consumer.ts", `${program}${mistake}`)).trim().split("\n");
  expect(said.filter((line) => line.includes(": error "))).toHaveLength(1);
  expect(said[0]).toContain("Property 'invoice' does not exist");
});

test("it runs there", async () => {
  const program = `
    import { createClient, createTracker, verifyWebhook } from "usageflow";
    const told = [];
    const tracker = createTracker({ url: "http://127.0.0.1:2", apiKey: "uf_test_", retryForMs: 0, onUndelivered: (lost) => told.push(...lost) });
    tracker.track({ metric: "API_CALL", customerId: "a" });
    await tracker.close();
    const call = createClient({ url: "http://127.0.0.1:2", apiKey: "uf_test_", attemptsMax: 1 }).tenant.getTenant({});
    console.log(told[0].error.kind, told[0].maybeStored, await call.catch((error) => error.code), typeof verifyWebhook);
  `;
  await writeFile(join(project, "run.mjs"), program);
  for (const node of [process.execPath, ...olderNodes()]) {
    const { stdout } = await run(node, [join(project, "run.mjs")]);
    expect([node, stdout]).toEqual([node, "gave_up false unavailable function\n"]);
  }
});

/** A Node 22, the oldest that the library promises to run on, where the developer has one: `USAGEFLOW_NODE_22`. */
function olderNodes(): string[] {
  const path = process.env.USAGEFLOW_NODE_22;
  return path && existsSync(path) ? [path] : [];
}

test("its sources use nothing that Node 22 lacks", { timeout: 60_000 }, async () => {
  // ES2024 is all there; what came later is not in these libraries, so the compiler would say so.
  const program = `export * from ${JSON.stringify(join(root, "cli/library/usageflow.ts"))};`;
  const options = {
    ...{ target: "es2024", lib: ["es2024", "esnext.disposable"], noEmit: true, rootDir: "/", skipLibCheck: true },
    ...{ allowImportingTsExtensions: true, typeRoots: [join(root, "node_modules/@types")] },
  };
  expect(await compile("sources.ts", program, options)).toBe("");
});

describe("a bundle", () => {
  const SERVING = /^(pg|kysely|pino|ink|react|@oclif|undici|@opentelemetry|@bufbuild\/(cel|re2))\//;

  test("of the tracker alone is small: neither a service nor the contract is in it", async () => {
    const { text, inputs } = await bundle(
      'import { createTracker } from "usageflow"; createTracker({ url: "", apiKey: "" });',
    );
    expect(inputs.filter((path) => !path.startsWith("usageflow/dist/cli/library/"))).toEqual(["<stdin>"]);
    expect(text.length).toBeLessThan(16_384);
  });

  test("of one service has none of the others", async () => {
    const program = `
      import { createService, createTransport } from "usageflow";
      import { UsageService } from "usageflow/v1/usage_service";
      createService(UsageService, createTransport({ url: "", apiKey: "" }));
    `;
    const { inputs } = await bundle(program);
    const contract = inputs
      .filter((path) => path.startsWith("usageflow/dist/gen/"))
      .map((path) => path.replace(/.*\//, ""));
    expect(contract.sort()).toEqual(["error_pb.js", "permission_pb.js", "usage_pb.js", "usage_service_pb.js"]);
    expect(inputs.filter((path) => SERVING.test(path) || path.startsWith("usageflow/dist/server"))).toEqual([]);
  });

  test("of all that there is has no code of the server, of its database or of the command line", async () => {
    const { inputs } = await bundle('import * as all from "usageflow"; console.log(all);');
    expect(inputs.length).toBeGreaterThan(30);
    expect(inputs.filter((path) => SERVING.test(path))).toEqual([]);
    const ours = inputs.filter((path) => path.startsWith("usageflow/"));
    expect(ours.filter((path) => !/^usageflow\/dist\/(gen|cli\/(library|webhooks))\//.test(path))).toEqual([]);
  });

  test("of the webhooks' handlers has nothing else in it", async () => {
    const { inputs } = await bundle(
      'import { webhookRoute } from "usageflow/webhooks/handler"; console.log(webhookRoute);',
    );
    expect(inputs.filter((path) => !path.startsWith("usageflow/dist/cli/webhooks/"))).toEqual(["<stdin>"]);
  });
});
