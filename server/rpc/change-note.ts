import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Tx } from "../db/database.ts";

/** What a verb says of its change, for the audit log. */
export interface ChangeNote {
  /** The thing as it was. */
  before?: { schema: DescMessage; message: MessageShape<DescMessage> };
  /** Nothing came of it. */
  unchanged?: true;
}

const notes = new WeakMap<Tx, ChangeNote>();

/** Says how the thing was that a transaction changes. Of one that it makes nothing is said. */
export function noteBefore<D extends DescMessage>(tx: Tx, schema: D, message: MessageShape<D>): void {
  notes.set(tx, { before: { schema, message } });
}

/** Says that a transaction changes nothing. */
export function noteUnchanged(tx: Tx): void {
  notes.set(tx, { unchanged: true });
}

/** What was said last. */
export function noteOf(tx: Tx): ChangeNote {
  return notes.get(tx) ?? {};
}
