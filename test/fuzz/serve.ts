import { type Config, defaults } from "../../server/config.ts";
import { serve } from "../../server/main.ts";

// The server that is fuzzed, in a process of its own: one that ends is noticed, and its memory is its own. It sends no
// webhooks: their URLs are made up too.

const given = JSON.parse(process.argv[2] as string) as {
  databaseUrl: string;
  workerDatabaseUrl: string;
  masterKey: string;
  keyPepper: string;
  operatorKey: string;
};
const config: Config = {
  ...defaults,
  ...{ databaseUrl: given.databaseUrl, workerDatabaseUrl: given.workerDatabaseUrl, listenUrl: undefined, port: 0 },
  masterKey: Buffer.from(given.masterKey, "base64"),
  keyPepper: Buffer.from(given.keyPepper, "base64"),
  operatorKey: Buffer.from(given.operatorKey, "base64"),
  emulator: true,
  logLevel: "warn",
};
const served = await serve(config, "api");
process.send?.(served.url as string);
process.on("message", () => {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  process.send?.({ heap: heapUsed, resident: rss });
});
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => void served.close().then(() => process.exit(0)));
