import type { ReactNode } from "react";
import { deliveryColumns } from "./delivery-columns.ts";
import { ListView } from "./list-view.tsx";
import { bodyOf, type DashboardState } from "./state.ts";

const NONE = "There are none. An endpoint receives events: usageflow endpoints create URL";

/** Deliveries as they are sent, newest first. */
export function DeliveriesView({ state }: { state: DashboardState }): ReactNode {
  const { deliveries, size } = state;
  return <ListView title="Deliveries" list={deliveries} columns={deliveryColumns} none={NONE} {...bodyOf(size)} />;
}
