import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { isMetering, type Observer, unobserved } from "./observer.ts";

/** The observer that a configuration asks for. Where it asks for none, nothing of OpenTelemetry is loaded. */
export async function createObserver(config: Config, log: Log): Promise<Observer> {
  if (!isMetering(config) && !config.otlpTracesUrl) return unobserved;
  const { createOpenTelemetry } = await import("./open-telemetry.ts");
  return createOpenTelemetry(config, log);
}
