import type { ReactNode } from "react";
import { type GridColumn, gridLines } from "./grid.ts";
import { type Line, line } from "./line.ts";
import type { ListState } from "./list-state.ts";
import { Panel } from "./panel.tsx";

/** A list, and what it is called. */
export interface ListViewProps<Item> {
  title: string;
  list: ListState<Item>;
  columns: readonly GridColumn<Item>[];
  /** What to say, and to do, when there is nothing. */
  none: string;
  width: number;
  height: number;
}

/** A list in a panel, with how much of it there is in the title. */
export function ListView<Item>({ title, list, columns, none, width, height }: ListViewProps<Item>): ReactNode {
  const { shown, selected, loaded } = list;
  const box = { width: width - 4, height: height - 2 };
  const lines: Line[] =
    shown.length > 0
      ? gridLines({ columns, rows: shown, selected, ...box })
      : [line(!loaded ? "…" : list.filter === "" ? none : "The filter lets nothing through.", { dim: true })];
  return <Panel title={`${title} ${placeWords(list)}`} width={width} height={height} lines={lines} />;
}

function placeWords<Item>({ shown, items, selected, filter, nextPageToken }: ListState<Item>): string {
  const more = nextPageToken === "" ? "" : "+"; // there are more on the server
  const all = `${items.length.toLocaleString("en")}${more}`;
  const place = `${(shown.length === 0 ? 0 : selected + 1).toLocaleString("en")} of `;
  return filter === "" ? `${place}${all}` : `${place}${shown.length.toLocaleString("en")} · /${filter} · ${all} in all`;
}
