import { type OpenLoad, openLoad } from "./open-load.ts";

// A load in a process of its own, so that no other one delays what it measures.

process.on("message", async (load: OpenLoad) => process.send?.(await openLoad(load)));
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
