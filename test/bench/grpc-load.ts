import { connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { TrackUsageRequestSchema } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { type Load, type LoadResult, summarise } from "./load.ts";

const SESSIONS = 4;
const PREFIX_BYTES = 5;

/** Calls TrackUsage with one event each over a few HTTP/2 connections, `connections` calls in flight, for `ms`. */
export async function grpcLoad(
  load: Load & { path: string; eventOf: (number: number) => { idempotencyKey: string; customerId: string } },
): Promise<LoadResult> {
  const sessions = Array.from({ length: SESSIONS }, () => connect(load.url));
  const latencies: number[] = [];
  const statuses = new Map<string, number>();
  let sent = 0;
  const endAt = performance.now() + load.ms;
  const call = (place: number) =>
    new Promise<void>((resolve, reject) => {
      const started = performance.now();
      const stream = (sessions[place % SESSIONS] as (typeof sessions)[number]).request({
        ":method": "POST",
        ":path": load.path,
        "content-type": "application/grpc",
        te: "trailers",
        "x-usageflow-api-key": load.keys[place % load.keys.length] as string,
      });
      const count = (status: string) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
      stream.on("trailers", (trailers) => count(`${trailers["grpc-status"]}`));
      stream.on("response", (headers) => headers["grpc-status"] !== undefined && count(`${headers["grpc-status"]}`));
      stream.on("error", reject);
      stream.on("end", () => {
        latencies.push(performance.now() - started);
        resolve();
      });
      stream.resume();
      stream.end(frameOf(load.eventOf(sent++)));
    });
  const began = performance.now();
  await Promise.all(
    Array.from({ length: load.connections }, async (_, place) => {
      while (performance.now() < endAt) await call(place);
    }),
  );
  const result = summarise(latencies, performance.now() - began, statuses);
  for (const session of sessions) session.close();
  return result;
}

function frameOf(event: { idempotencyKey: string; customerId: string }): Buffer {
  const request = create(TrackUsageRequestSchema, { events: [{ metric: "API_CALL", amount: "1", ...event }] });
  const message = toBinary(TrackUsageRequestSchema, request);
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}
