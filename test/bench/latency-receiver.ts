import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

// Receivers of deliveries, told apart by path: `/timed` takes them and notes when each event arrived first, `/quick` takes
// them, `/hang` never answers, `/drip` answers a byte a second and never the last. "arrivals" asks when what arrived;
// "release" lets go of those who wait for an answer.

/** When events arrived, by the customer that each is about: milliseconds of the system's steady clock. */
export type Arrivals = Record<string, number>;

const DRIP_MS = 1_000;

let arrivals: Arrivals = {};
const held = new Set<ServerResponse>();

const server = createServer({ noDelay: true }, async (request, response) => {
  const at = Number(process.hrtime.bigint()) / 1e6;
  if (request.url === "/timed") {
    const body = (await json(request)) as { data: { invoice: { customerId: string } } };
    arrivals[body.data.invoice.customerId] ??= at;
    response.writeHead(204).end();
    return;
  }
  request.resume();
  request.on("end", () => {
    if (request.url === "/quick") return void response.writeHead(204).end();
    held.add(response);
    response.once("close", () => held.delete(response));
    if (request.url === "/drip") response.writeHead(200).flushHeaders();
  });
});
setInterval(() => {
  for (const response of held) if (response.headersSent) response.write(".");
}, DRIP_MS);
process.on("message", (asked) => {
  if (asked === "release") {
    for (const response of held) response.destroy();
    process.send?.(held.size);
    return;
  }
  process.send?.(arrivals);
  arrivals = {};
});
process.on("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
