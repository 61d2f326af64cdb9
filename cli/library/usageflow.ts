// What `import ... from "usageflow"` gives. Whoever takes one thing loads nothing of the others: bundlers leave them out.

export { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt"; // what calls take times as
export type { WebhookEvent, WebhookEventOf, WebhookEventType } from "../webhooks/event.ts";
export {
  type HandleEvent,
  type HandlerOptions,
  webhookListener,
  webhookPlugin,
  webhookRoute,
} from "../webhooks/handler.ts";
export { type IncomingWebhook, type Problem, verifyWebhook, WebhookRefusedError } from "../webhooks/verify.ts";
export type { Access, KeyAccess, TokenAccess } from "./access.ts";
export { UsageFlowError } from "./call-error.ts";
export {
  type CallOptions,
  type Client,
  type ClientOptions,
  createClient,
  createService,
  createTransport,
} from "./client.ts";
export type { Reason } from "./reason.ts";
export { type Rejected, TrackerError, type TrackerErrorKind, type Undelivered } from "./report.ts";
export type { UsageEventInput } from "./tracked-event.ts";
export {
  createTracker,
  type Receipt,
  type Tracker,
  type TrackerOptions,
  type TrackerTally,
  type TrackingOptions,
} from "./tracker.ts";
export type { Waits } from "./waits.ts";
