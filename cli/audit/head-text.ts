import { create } from "@bufbuild/protobuf";
import { type AuditHead, AuditHeadSchema } from "../../gen/usageflow/v1/audit_pb.ts";
import { CliError } from "../cli-error.ts";

/** A head as people keep it: `1234:` and its hash in hexadecimal. */
export function headText({ sequence, hash }: AuditHead): string {
  return `${sequence}:${Buffer.from(hash).toString("hex")}`;
}

/** The head that a person kept. */
export function parseHead(text: string): AuditHead {
  const [, sequence, hash] = /^([1-9]\d{0,17}):((?:[0-9a-f]{2}){1,64})$/.exec(text) ?? [];
  if (!sequence || !hash) {
    throw new CliError("usage", `"${text}" is no head: it is what audit verify shows, such as 12:3f0a...`);
  }
  return create(AuditHeadSchema, { sequence: BigInt(sequence), hash: Buffer.from(hash, "hex") });
}
