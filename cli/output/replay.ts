import { DeliveryStateSchema, type Replay, ReplayStateSchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type Column, facts } from "./table.ts";
import { moment, word } from "./text.ts";

/** A replay in full. */
export function replayText(replay: Replay): string {
  return facts({
    Replay: replay.id,
    Endpoint: replay.endpointId,
    Events: replay.eventTypes.join(", ") || "*",
    Deliveries: replay.deliveryStates.map((state) => word(DeliveryStateSchema, state)).join(", "),
    From: moment(replay.start),
    To: moment(replay.end),
    State: word(ReplayStateSchema, replay.state),
    Done: `${replay.doneCount} of ${replay.totalCount}`,
    Waiting: String(replay.waitingCount),
    Made: moment(replay.createdAt),
    Completed: moment(replay.completedAt),
  });
}

/** Columns of a list of replays. */
export const replayColumns: Column<Replay>[] = [
  { title: "REPLAY", value: (replay) => replay.id },
  { title: "ENDPOINT", value: (replay) => replay.endpointId },
  { title: "STATE", value: (replay) => word(ReplayStateSchema, replay.state) },
  { title: "DONE", value: (replay) => String(replay.doneCount), right: true },
  { title: "OF", value: (replay) => String(replay.totalCount), right: true },
  { title: "MADE", value: (replay) => moment(replay.createdAt), spare: true },
];
