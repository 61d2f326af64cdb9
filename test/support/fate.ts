/** Where a worker may be killed, and at which moments of its statements that is. */
export const MOMENTS = {
  "before the claim commits": ["committing claim"],
  "after the claim": ["done claim"],
  "after sending, before settling": ["before settle"],
  "in settling": ["sent settle", "committing settle"],
  "after settling": ["done settle"],
  "in fan-out": ["committing fan-out"],
  "in a heartbeat": ["sent heartbeat"],
} as const;

export type Point = keyof typeof MOMENTS;

/** All points. */
export const POINTS = Object.keys(MOMENTS) as Point[];

/** How a worker will die: when it has come to a point so many times. */
export interface Fate {
  point: Point;
  times: number;
}
