import { expect, test } from "vitest";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

test("init makes no second organization of a name unless that is said", async () => {
  const { run } = await createHere();
  const { app, database } = await setup();
  const env = {
    USAGEFLOW_OWNER_DATABASE_URL: database.ownerUrl,
    USAGEFLOW_MASTER_KEY: app.config.masterKey.toString("base64"),
    USAGEFLOW_KEY_PEPPER: app.config.keyPepper.toString("base64"),
  };
  const init = (name: string, ...more: string[]) => run(["init", "--organization", name, ...more], { env });
  expect(await init("Acme")).toEqual({
    code: 5,
    stdout: "",
    stderr: expect.stringMatching(/^Error: there is an organization "Acme" already: org_\w+\n.*: --another\n$/),
  });
  expect(await init("Acme", "--another")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Live key +uf_live_/),
  });
  expect((await init("Acme")).stderr).toMatch(/already: org_\w+, org_\w+$/m);
  expect(await init("Other")).toMatchObject({ code: 0 });
});
