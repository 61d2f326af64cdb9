// An Express API that meters its requests: each is tracked when it was answered, and costs the request nothing.
//
//   USAGEFLOW_URL=... USAGEFLOW_API_KEY=... PORT=3000 node express-api.mjs

import { appendFile } from "node:fs/promises";
import express from "express";
import { createTracker } from "usageflow/tracker";

const { USAGEFLOW_URL = "", USAGEFLOW_API_KEY = "", PORT = "3000" } = process.env;

const tracker = createTracker({
  url: USAGEFLOW_URL,
  apiKey: USAGEFLOW_API_KEY,
  // Refused for good: a metric that there is not, an amount that is no number. A bug of yours, so let it be seen.
  onRejected: (rejected) => {
    for (const { event, reason, field } of rejected) console.error("rejected:", reason, field, event);
  },
  // Not known to be stored: the queue was full, or the server away for too long. Each can be tracked again at any time,
  // `usageflow usage import unsent.ndjson` does it, and counts once.
  onUndelivered: (undelivered) =>
    appendFile("unsent.ndjson", undelivered.map(({ event }) => `${JSON.stringify(event)}\n`).join("")),
});

const app = express();

app.use((request, response, next) => {
  const customerId = request.get("x-customer-id"); // in real life: whom the request's credentials belong to
  if (!customerId) return void response.status(401).json({ error: "who are you?" });
  response.once("finish", () => {
    if (response.statusCode >= 500) return; // our fault is free
    tracker.track({ metric: "API_CALL", amount: 1, customerId });
  });
  next();
});

app.get("/hello", (_request, response) => void response.json({ hello: "world" }));

const server = app.listen(Number(PORT), () => {
  const address = server.address();
  console.log(`listening on ${typeof address === "object" ? address?.port : address}`);
});

// First the requests under way are answered, then their usage is sent.
process.once("SIGTERM", () => {
  server.close(async () => {
    const { accepted, duplicate, rejected, undelivered } = await tracker.close({ timeoutMs: 10_000 });
    console.log(`${accepted + duplicate} stored, ${rejected} rejected, ${undelivered} not delivered`);
  });
});
