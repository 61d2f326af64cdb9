import { AsyncLocalStorage } from "node:async_hooks";
import { isIP, type Socket } from "node:net";
import { buildConnector } from "undici";
import { type LookUp, lookUpIn, type Reach } from "./look-up.ts";
import { checkLiteral, resolveTarget } from "./resolve-target.ts";

/** How far an exchange came. A connection that was kept open begins at the end. */
export type Stage = "resolving" | "connecting" | "securing" | "connected";

/** Where the time of an exchange went, in microseconds: absent is what did not happen. */
export interface Timing {
  resolveUs?: number;
  /** From the look-up to the connection, TLS included. */
  connectUs?: number;
  /** From the connection to the head of the answer. */
  firstByteUs?: number;
}

/** One request and its answer, as the connector tells of it. */
export interface Exchange {
  stage: Stage;
  timing: Timing;
  /** Microseconds since the call before, or since it began. */
  lap(): number;
}

/** An exchange that begins now. */
export function beginExchange(): Exchange {
  let last = performance.now();
  const lap = () => {
    const before = last;
    last = performance.now();
    return Math.round((last - before) * 1000);
  };
  return { stage: "connected", timing: {}, lap };
}

/** Whose connection is made: undici asks for one in the context of the request that needs it. */
export const exchanges = new AsyncLocalStorage<Exchange>();

/** Dials nothing but what it checked: an address in the URL, or those that it looked up itself. */
export function guardedConnector(
  reach: Reach,
  timeout: number,
  look: LookUp = lookUpIn(reach),
): buildConnector.connector {
  const connect = buildConnector({
    timeout,
    allowH2: false,
    lookup: (host, options, callback) => {
      const exchange = exchanges.getStore();
      resolveTarget(host, reach, look).then(
        (found) => {
          if (exchange) {
            exchange.timing.resolveUs = exchange.lap();
            exchange.stage = "connecting";
          }
          if (options.all) callback(null, found);
          else callback(null, found[0]?.address ?? "", found[0]?.family);
        },
        (error) => callback(error, ""),
      );
    },
  });
  return (options, callback) => {
    const exchange = exchanges.getStore() ?? beginExchange();
    const literal = isIP(options.hostname.replace(/^\[|\]$/g, "")) > 0;
    exchange.stage = literal ? "connecting" : "resolving";
    try {
      checkLiteral(options.hostname, reach); // there is no lookup for it
    } catch (error) {
      return callback(error as Error, null);
    }
    const socket = connect(options, (...made: Parameters<buildConnector.Callback>) => {
      if (made[1]) {
        exchange.timing.connectUs = exchange.lap();
        exchange.stage = "connected";
      }
      callback(...made);
    }) as unknown as Socket;
    socket.once("connect", () => {
      if (options.protocol === "https:" && exchange.stage === "connecting") exchange.stage = "securing";
    });
  };
}
