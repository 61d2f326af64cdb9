import { create, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { UsageOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { TrackUsageResponseSchema, UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";

// The floor of TrackUsage over gRPC: a bare @grpc/grpc-js server that answers a constant.

const results = [{ outcome: UsageOutcome.ACCEPTED, idempotencyKey: "00000000-0000-7000-8000-000000000000" }];
const answer = Buffer.from(toBinary(TrackUsageResponseSchema, create(TrackUsageResponseSchema, { results })));

const server = new Server();
server.addService(
  {
    trackUsage: {
      path: `/${UsageService.typeName}/TrackUsage`,
      requestStream: false,
      responseStream: false,
      requestDeserialize: (bytes: Buffer) => bytes,
      requestSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Buffer) => bytes,
    },
  },
  { trackUsage: (_call: unknown, done: (error: null, value: Buffer) => void) => done(null, answer) },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.(`http://127.0.0.1:${port}`);
});
process.on("disconnect", () => process.exit(0));
