import { create, equals } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Delivery, DeliverySchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { Clients } from "./clients.ts";
import type { Link } from "./link.ts";
import { mergedNewest, withItems } from "./list-state.ts";
import { type DashboardState, TRAITS } from "./state.ts";
import type { Store } from "./store.ts";

const AGAIN_MS = 1_000;
// Deliveries that are made and not tried yet are in no stream of attempts: the newest are read now and then.
const NEWEST_MS = 3_000;
const NEWEST = 100;
const BEATS_MISSED = 3;
const SILENCE_MS = 60_000; // until the server says how often it beats
// A tenant's log has no end: what is kept of what came by itself has one.
const KEPT_MAX = 50_000;

const NOTHING = create(DeliverySchema);

/** Follows deliveries as they are sent, and reads what is made and waits. */
export function followDeliveries(store: Store<DashboardState>, { webhooks }: Clients, link: Link): void {
  const add = (read: readonly Delivery[]) =>
    store.updateSoon(({ deliveries }) => {
      const known = new Map(deliveries.items.slice(0, 2 * NEWEST).map((item) => [item.id, item]));
      const news = read.filter((item) => !equals(DeliverySchema, item, known.get(item.id) ?? NOTHING));
      if (news.length === 0) return deliveries.loaded ? {} : { deliveries: { ...deliveries, loaded: true } };
      const items = mergedNewest(deliveries.items, news, TRAITS.deliveries).slice(0, KEPT_MAX);
      return { deliveries: withItems(deliveries, items, TRAITS.deliveries) };
    });
  void tail();
  void readNewest();

  async function readNewest(): Promise<void> {
    do {
      const answer = await link.call((options) => webhooks.listDeliveries({ pageSize: NEWEST }, options));
      if (answer) {
        const isFirst = !store.get().deliveries.loaded;
        add([...answer.deliveries]);
        if (isFirst) {
          store.updateSoon(({ deliveries }) => ({
            deliveries: { ...deliveries, nextPageToken: answer.nextPageToken },
          }));
        }
      }
    } while (await link.wait(NEWEST_MS));
  }

  async function tail(): Promise<void> {
    let cursor = "";
    do {
      // A stream that is silent for three of its beats has broken, though nobody said so.
      const silent = new AbortController();
      let watch: NodeJS.Timeout | undefined;
      try {
        const signal = AbortSignal.any([link.ended, silent.signal]);
        let silenceMs = SILENCE_MS;
        let waiting: Delivery[] = [];
        for await (const { message, cursor: place } of webhooks.tailDeliveries({ cursor }, { signal, timeoutMs: 0 })) {
          link.heard();
          cursor = place;
          const interval = message.case === "ready" ? message.value.heartbeatInterval : undefined;
          if (interval) silenceMs = BEATS_MISSED * durationMs(interval);
          clearTimeout(watch);
          watch = setTimeout(() => silent.abort(), silenceMs);
          if (message.case !== "attempt" || !message.value.delivery) continue;
          waiting.unshift(message.value.delivery);
          if (waiting.length > 1) continue;
          // What comes in one turn is added at once.
          setImmediate(() => {
            add(waiting);
            waiting = [];
          });
        }
      } catch (error) {
        link.failed(error);
      } finally {
        clearTimeout(watch);
      }
    } while (await link.wait(AGAIN_MS));
  }
}
