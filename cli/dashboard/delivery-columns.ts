import type { Delivery } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { GridColumn } from "./grid.ts";
import { clockTime, deliveryColor, deliveryWord, lastAnswer } from "./words.ts";

/** A delivery as a row: what it tells of, and how that goes. */
export const deliveryColumns: GridColumn<Delivery>[] = [
  { title: "MADE", width: 8, value: ({ createdAt }) => clockTime(createdAt), dim: true },
  { title: "EVENT", width: 23, value: ({ eventType }) => eventType },
  { title: "CUSTOMER", width: "rest", value: ({ customerId }) => customerId, from: 64 },
  { title: "STATE", width: 9, value: deliveryWord, color: deliveryColor },
  { title: "TRIES", width: 5, value: ({ attemptCount }) => String(attemptCount), right: true, from: 64 },
  { title: "ANSWER", width: 8, value: lastAnswer, color: deliveryColor },
  { title: "DELIVERY", width: 26, value: ({ id }) => id, from: 110, dim: true },
];
