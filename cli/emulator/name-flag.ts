import { Flags } from "@oclif/core";

/** The name of an emulator. Commands that `emulator exec` runs have it from their environment. */
export const nameFlag = Flags.string({
  description: "Which emulator: one of this name. Default: that of this folder, else the one started last.",
  env: "USAGEFLOW_EMULATOR",
  helpValue: "NAME",
});
