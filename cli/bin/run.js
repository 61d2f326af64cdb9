#!/usr/bin/env node
// Any Node can start this file. Where it is older than what the package needs, the Node that the package pins takes over.
import { readFileSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

const NODE_MAJOR_MIN = 24;
const root = new URL("../../", import.meta.url);

if (process.argv[2] === "--version" || process.argv[2] === "-v") {
  // Answered before anything is loaded: prompts and scripts ask for it often.
  console.log(`usageflow ${JSON.parse(readFileSync(new URL("package.json", root), "utf8")).version}`);
} else if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
  await handOver();
} else {
  // Behind an older Node that handed over: when that one is gone, this one ends too.
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel?.unref();
  module.enableCompileCache?.();
  if (process.argv[2] === "__complete") {
    // A shell that completes a command line (cli/completion): a person waits for each answer.
    const { complete } = await import("../../dist/cli/completion/complete.js");
    await complete(process.argv.slice(3), fileURLToPath(root));
    process.exit(); // and not for connections
  }
  const { main } = await import("../../dist/cli/main.js");
  await main(process.argv.slice(2), fileURLToPath(root));
}

async function handOver() {
  const os = process.platform === "win32" ? "win" : process.platform;
  const { resolve } = module.createRequire(import.meta.url);
  let node;
  try {
    const manifest = resolve(`node-${os}-${process.arch}/package.json`);
    const bin = JSON.parse(readFileSync(manifest, "utf8")).bin.node;
    node = fileURLToPath(new URL(bin, new URL(`file://${manifest}`)));
  } catch {
    console.error(`usageflow needs Node.js ${NODE_MAJOR_MIN} or later; this is ${process.version}`);
    process.exit(1);
  }
  const { spawn } = await import("node:child_process");
  const stdio = ["inherit", "inherit", "inherit", "ipc"];
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
