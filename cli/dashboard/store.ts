/** State that lives outside React, and tells who draws it that it changed. */
export interface Store<State> {
  get(): State;
  /** Changes it, and tells at once: for what a person did. */
  update(change: (state: State) => Partial<State>): void;
  /** Changes it, and tells a moment later, together with what else comes: for what a server sent. */
  updateSoon(change: (state: State) => Partial<State>): void;
  /** Answers how to end it. */
  subscribe(listener: () => void): () => void;
}

// Twenty times a second is as often as eyes follow numbers.
const SOON_MS = 50;

/** A store that begins with a state. */
export function createStore<State extends object>(initial: State): Store<State> {
  let state = initial;
  let soon: NodeJS.Timeout | undefined;
  const listeners = new Set<() => void>();
  const tell = () => {
    clearTimeout(soon);
    soon = undefined;
    for (const listener of listeners) listener();
  };
  return {
    get: () => state,
    update(change) {
      state = { ...state, ...change(state) };
      tell();
    },
    updateSoon(change) {
      state = { ...state, ...change(state) };
      soon ??= setTimeout(tell, SOON_MS);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
