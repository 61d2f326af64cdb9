import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { type Delivery, DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type ListenDelivery, WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { forward, type LocalAnswer } from "./forward.ts";
import { isFinal } from "./long-stream.ts";

/** A delivery that was handed on, and what came of it. */
export interface Forwarded {
  delivery: ListenDelivery;
  answer: LocalAnswer;
  /** As the server has it after that. Undefined when it knows it no more. */
  after: Delivery | undefined;
}

/** What a forwarder is to do. */
export interface ForwarderOptions {
  url: string;
  /** As the server is told. */
  client: string;
  /** Hand on no more than what makes so many taken. */
  count: number | undefined;
  onForwarded: (forwarded: Forwarded) => void;
}

const AT_A_TIME = 8;
// Attempts that are remembered, more than a server has under way: after a new connection it streams some again that were
// handed on, and are only not acknowledged yet.
const REMEMBERED_MAX = 1_000;
const ACKNOWLEDGE_PAUSE_MS = 500;

/** Hands deliveries on to a local server, some at a time and begun in their order, and tells the server what came of it. */
export class Forwarder {
  /** Deliveries that the local server took. */
  taken = 0;
  /** Of the connection that there is now. */
  #transport: Transport | undefined;
  readonly #options: ForwarderOptions;
  readonly #known = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #waiting: ListenDelivery[] = [];
  #closed = false;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Hands a delivery on, when it is its turn. One that was handed on already is not again. */
  take(delivery: ListenDelivery): void {
    const key = keyOf(delivery);
    if (this.#closed || this.#known.has(key)) return;
    this.#known.add(key);
    if (this.#known.size > REMEMBERED_MAX) for (const oldest of this.#known.keys().take(1)) this.#known.delete(oldest);
    this.#waiting.push(delivery);
    this.#begin();
  }

  /** There is a new connection: what was not begun comes again over it, signed anew. */
  connect(transport: Transport): void {
    this.#transport = transport;
    for (const delivery of this.#waiting) this.#known.delete(keyOf(delivery));
    this.#waiting = [];
  }

  /** Begins nothing more, and waits for what is under way, but not for ever. */
  async close(patienceMs: number): Promise<void> {
    this.#closed = true;
    this.#waiting = [];
    const patience = new AbortController();
    const over = sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => {});
    await Promise.race([Promise.all(this.#underWay), over]);
    patience.abort();
  }

  #begin(): void {
    const { count = Infinity } = this.#options;
    while (this.#underWay.size < Math.min(AT_A_TIME, count - this.taken)) {
      const next = this.#waiting.shift();
      if (!next) return;
      const carried = this.#carry(next).finally(() => {
        this.#underWay.delete(carried);
        this.#begin();
      });
      this.#underWay.add(carried);
    }
  }

  async #carry(delivery: ListenDelivery): Promise<void> {
    const answer = await forward(this.#options.url, delivery);
    const after = await this.#acknowledge(delivery, answer);
    if (after?.state === DeliveryState.DELIVERED) this.taken++;
    this.#options.onForwarded({ delivery, answer, after });
  }

  /** Tells the server until it heard. */
  async #acknowledge({ deliveryId, attempt }: ListenDelivery, answer: LocalAnswer): Promise<Delivery | undefined> {
    const { client } = this.#options;
    const { status, errorKind, headers, body } = answer;
    const told = { deliveryId, attempt, client, status, errorKind, responseHeaders: headers, responseBody: body };
    for (;;) {
      try {
        const service = createClient(WebhookService, this.#transport as Transport);
        const duration = durationFromMs(Math.round(answer.durationMs));
        return (await service.acknowledgeDelivery({ ...told, duration }, { timeoutMs: 10_000 })).delivery;
      } catch (error) {
        if (!(error instanceof ConnectError)) throw error;
        if (isFinal(error)) return undefined;
        if (this.#closed) return undefined;
        await sleep(ACKNOWLEDGE_PAUSE_MS);
      }
    }
  }
}

function keyOf({ deliveryId, attempt }: ListenDelivery): string {
  return `${deliveryId} ${attempt}`;
}
