import { toJsonString } from "@bufbuild/protobuf";
import { TimestampSchema, timestampFromDate } from "@bufbuild/protobuf/wkt";

/** What a webhook tells. */
export interface Told {
  type: string;
  occurredAt: Date;
  sequence: bigint;
  /** EventData as proto3 JSON. */
  data: string;
}

/**
 * The body of a webhook: the contract's WebhookBody as proto3 JSON. The stored facts are in it as they stand, so every
 * attempt sends the same bytes, whatever later versions of the contract add.
 */
export function webhookBody({ type, occurredAt, sequence, data }: Told): string {
  const timestamp = toJsonString(TimestampSchema, timestampFromDate(occurredAt));
  return `{"type":${JSON.stringify(type)},"timestamp":${timestamp},"sequence":"${sequence}","data":${data}}`;
}
