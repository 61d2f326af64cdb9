const atExit = new Set<() => void>();

const runAll = () => {
  for (const work of atExit) work();
};

/** Has something done when the process ends by itself or by `process.exit`. Answers how to have it left. */
export function onExit(work: () => void): () => void {
  if (atExit.size === 0) process.on("exit", runAll); // one listener, however many trackers
  atExit.add(work);
  return () => {
    atExit.delete(work);
    if (atExit.size === 0) process.off("exit", runAll);
  };
}

/**
 * Has something done when one of these signals comes, and then lets the signal do what it would have done; a program that
 * listens to it as well ends by itself. Answers how to have it left.
 */
export function onSignals(signals: readonly NodeJS.Signals[], work: () => Promise<unknown>): () => void {
  const listeners = signals.map((signal) => {
    const listener = async () => {
      await work().catch(() => {});
      process.off(signal, listener);
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    };
    process.on(signal, listener);
    return [signal, listener] as const;
  });
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
