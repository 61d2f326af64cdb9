import { expect, test } from "vitest";
import { emulatorFlags, optionsOf } from "../../cli/emulator/flags.ts";

const flags = { clock: undefined, catalog: undefined, "forward-to": undefined, port: 0, data: undefined };

test("--retry-schedule is the waits after the first, second and third failure", async () => {
  const options = await optionsOf({ ...flags, "retry-schedule": "1s,2s,1m" });
  expect(options.retryScheduleMs).toEqual([1_000, 2_000, 60_000]);
  expect((await optionsOf({ ...flags, "retry-schedule": undefined })).retryScheduleMs).toBeUndefined();
});

test.each(["", "1", "1s,", "1s;2s", "soon"])("--retry-schedule %s is refused", async (text) => {
  const { parse } = emulatorFlags["retry-schedule"];
  await expect(parse(text, {} as never, {} as never)).rejects.toThrow("is no span of time");
});
