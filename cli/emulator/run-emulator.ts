import { CliError } from "../cli-error.ts";
import { readLocatorOf, removeLocator, writeLocator } from "../locator.ts";
import { startControl } from "./control-server.ts";
import type { Emulator, EmulatorOptions } from "./emulator.ts";
import { preparePlace } from "./snapshot.ts";
import { snapshotFolder } from "./snapshot-folder.ts";
import { startUnlessStopped } from "./start-unless-stopped.ts";

export interface RunOptions extends EmulatorOptions {
  /** Its own; the folder that it is started in where nobody gives one. */
  name: string;
  /** Whether other commands find it by its name alone. */
  hidden: boolean;
  /** Snapshot to save at the end. */
  exportOnExit: string | undefined;
  /** Somebody stops this process. */
  stop: AbortSignal;
  /** Another process asks it to stop. */
  onStop: () => void;
}

/** Runs an emulator that other commands find and give orders to, for as long as `work` takes. */
export async function runEmulator<T>(options: RunOptions, work: (emulator: Emulator) => Promise<T>): Promise<T> {
  await checkName(options.name);
  if (options.exportOnExit !== undefined) await preparePlace(snapshotFolder(options.exportOnExit)); // not only at the end
  await using undo = new AsyncDisposableStack();
  const emulator = await startUnlessStopped(options, options.stop);
  undo.defer(() => emulator.close());
  const control = await startControl(emulator, { onStop: options.onStop, onChange: () => note() });
  undo.defer(() => control.close());
  const startedAt = new Date().toISOString();
  const note = async () => {
    const { name, hidden, forwardTo = "", data = "" } = options;
    const { url, apiKey, accessToken, webhookSecret } = emulator;
    const { url: controlUrl, token: controlToken } = control;
    const where = { url, apiKey, accessToken, webhookSecret, controlUrl, controlToken, forwardTo, data, startedAt };
    await writeLocator({ ...where, name, hidden, folder: process.cwd() }).catch((error) =>
      options.listeners.onTrouble(`Other commands will not find it by themselves: ${error.message}`),
    );
  };
  await note();
  undo.defer(() => removeLocator(options.name));
  const result = await work(emulator);
  await emulator.close(options.exportOnExit);
  return result;
}

async function checkName(name: string): Promise<void> {
  const other = await readLocatorOf(name);
  if (!other) return;
  const which = name === other.folder ? "of this folder" : `of the name "${name}"`;
  throw new CliError("failed_precondition", `an emulator ${which} runs already: ${other.url}, process ${other.pid}`, {
    hint: "Stop it with: usageflow emulator stop. Or give this one a name of its own: --name other",
  });
}
