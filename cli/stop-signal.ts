const TWICE_MS = 1_000;
const INTERRUPTED = 130;

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
