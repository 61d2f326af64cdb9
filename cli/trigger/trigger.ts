import type { JsonObject } from "@bufbuild/protobuf";

// A trigger is data: the calls that make an event happen as it happens in life. A request may refer to answers before it,
// as `{name.path}`.

/** One call of the API. */
export interface Step {
  /** By which later steps and --set know it. */
  name: string;
  /** Service and method, such as `TenantService.PutCustomer`. */
  call: string;
  /** Why it is made, in words. */
  why: string;
  /** As proto3 JSON, with references. */
  request: JsonObject;
  /** Called again until the answer has this at this path; without `is`: until it has nothing there. */
  until?: { path: string; is?: string };
  /** What is called each time before it is asked again. */
  meanwhile?: { call: string; request: JsonObject };
  /** What to do when a reference to its answer leads nowhere. */
  hint?: string;
}

/** How an event is made to happen. */
export interface Trigger {
  steps: readonly Step[];
  /** What is taken away afterwards. */
  cleanup?: readonly Step[];
}
