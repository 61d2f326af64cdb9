import { stopError } from "../stop-signal.ts";
import { type Emulator, type EmulatorOptions, startEmulator } from "./emulator.ts";

/**
 * Starts an emulator, unless somebody stops this process meanwhile: then nothing is left of it, and the error says so
 * whatever broke. A Ctrl-C also ends programs that the start runs.
 */
export async function startUnlessStopped(options: EmulatorOptions, stop: AbortSignal): Promise<Emulator> {
  const interrupted = (cause?: unknown) => stopError(stop, "stopped before the emulator was ready", "", cause);
  const emulator = await startEmulator(options).catch((error) => {
    throw stop.aborted ? interrupted(error) : error;
  });
  if (!stop.aborted) return emulator;
  await emulator.close();
  throw interrupted();
}
