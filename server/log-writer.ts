import { write, writeSync } from "node:fs";
import { systemClock } from "./clock.ts";

/** Characters that wait at most: where nobody reads, lines are lost, and not the process. */
const WAITING_MAX = 16 * 1024 * 1024;
const AGAIN_MS = 50;
/** How often a process that ends asks again whether its reader takes what is left. */
const LAST_TRIES = 20;
const NOTHING = Buffer.alloc(0);
const LINE_FEED = 10;
const WARN = 40;

/**
 * Writes lines to a file descriptor when the event loop has time, in their order: whoever logs does not wait for who reads.
 * What is not read waits, up to a limit; how much was lost is told in a line. Where there is no reader any more, nothing is
 * written. pino's own (sonic-boom 4.2.1) holds all that is unread, takes the process down when a disk is full, and never lets
 * it end when its reader has gone.
 */
export class LogWriter {
  readonly #fd: number;
  readonly #waitingMax: number;
  #waiting: string[] = [];
  #length = 0;
  #lost = 0;
  /** What is written next, or just now. */
  #chunk = NOTHING;
  #isWriting = false;
  #isOnItsWay = false;
  #isOver = false;

  constructor(fd: number, waitingMax = WAITING_MAX) {
    this.#fd = fd;
    this.#waitingMax = waitingMax;
  }

  /** Takes a line, which ends with a line feed. */
  write(line: string): void {
    if (this.#isOver) return;
    if (this.#length + line.length > this.#waitingMax) {
      this.#lost += 1;
      return;
    }
    this.#waiting.push(line);
    this.#length += line.length;
    if (this.#isWriting) return;
    this.#isWriting = true;
    setImmediate(() => this.#next());
  }

  /** Writes what waits, in step with the caller, who is about to end the process. It has an end of its own. */
  flush(): void {
    if (this.#isOnItsWay) this.#chunk = NOTHING; // the thread that has it goes on with it
    for (let tries = 0; tries < LAST_TRIES && this.#hasChunk(); ) {
      try {
        this.#chunk = this.#chunk.subarray(writeSync(this.#fd, this.#chunk));
      } catch (error) {
        if (!isBusy(error)) return;
        tries += 1;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
      }
    }
  }

  #next(): void {
    this.#isWriting = this.#hasChunk();
    if (!this.#isWriting) return;
    this.#isOnItsWay = true;
    write(this.#fd, this.#chunk, (error, written) => {
      this.#isOnItsWay = false;
      if (isBusy(error)) return void setTimeout(() => this.#next(), AGAIN_MS).unref();
      if (error) this.#lost += this.#chunk.filter((byte) => byte === LINE_FEED).length; // a full disk may have room again
      this.#chunk = error ? NOTHING : this.#chunk.subarray(written);
      if (error?.code === "EPIPE") this.#isOver = true;
      else this.#next();
    });
  }

  /** Whether there is something to write: what is left of the last chunk, or all that waits. */
  #hasChunk(): boolean {
    if (this.#chunk.length > 0) return true;
    if (this.#waiting.length === 0) return false;
    if (this.#lost > 0) {
      const line = { level: WARN, time: systemClock.now(), count: this.#lost, msg: "log.lost" };
      this.#waiting.push(`${JSON.stringify(line)}\n`);
    }
    this.#chunk = Buffer.from(this.#waiting.join(""));
    this.#waiting = [];
    this.#length = 0;
    this.#lost = 0;
    return true;
  }
}

/** Whether the reader of a pipe has not taken what is in it. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EAGAIN" || error.code === "EBUSY");
}
