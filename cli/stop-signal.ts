import { CliError } from "./cli-error.ts";

const TWICE_MS = 1_000;
const INTERRUPTED = 130;

let atOnce: (() => void) | undefined;

/**
 * Ctrl-C ends a command that asks for no `stopSignal`: what it changes is one call, done or not. It is told as every
 * failure is; the second time, nothing is waited for.
 */
export function endOnInterrupt(tell: (error: CliError) => Promise<void>): void {
  if (atOnce) process.off("SIGINT", atOnce);
  let told = false;
  atOnce = () => {
    if (told) process.exit(INTERRUPTED);
    told = true;
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K"); // the terminal wrote ^C, maybe into a progress line
    void tell(new CliError("interrupted", "by Ctrl-C")).finally(() => process.exit(INTERRUPTED));
  };
  process.on("SIGINT", atOnce);
}

/**
 * A signal that aborts when somebody stops this process: Ctrl-C, SIGTERM, a closed terminal, or a reader of stdout that
 * has gone. Its reason is the name of what came. Asked again, a second later or more, the process ends at once; sooner
 * it is the same Ctrl-C, which npm hands on after the terminal did.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let stoppedAt = Infinity;
  const onStop = (reason: string) => {
    if (performance.now() - stoppedAt > TWICE_MS) process.exit(INTERRUPTED);
    if (stop.signal.aborted) return;
    stoppedAt = performance.now();
    stop.abort(reason);
  };
  if (atOnce) process.off("SIGINT", atOnce);
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => onStop(name));
  process.stdout.once("error", () => onStop("EPIPE"));
  return stop.signal;
}

/** Resolves when the signal aborts. */
export function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
