import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { setup } from "../support/harness.ts";

test("a call that takes longer than the server's limit is answered, whatever deadline its client set", async () => {
  const { clients, ownerDb } = await setup({ config: { requestTimeoutMs: 100 } });
  const block = await ownerDb.startTransaction().execute();
  await block.selectFrom("tenant").selectAll().forUpdate().execute();
  const to = { seconds: BigInt(Date.parse("2015-06-02T00:00:00Z") / 1_000) };
  const advance = (timeoutMs?: number) =>
    clients.tenant.advanceClock({ destination: { case: "to", value: to } }, timeoutMs ? { timeoutMs } : {});
  await expect(advance()).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  await expect(advance(600_000)).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  await block.rollback().execute();
});
