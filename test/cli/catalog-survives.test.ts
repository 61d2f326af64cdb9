import fc from "fast-check";
import { expect, test } from "vitest";
import { parseCatalog } from "../../cli/catalog/catalog-file.ts";
import { writeCatalog } from "../../cli/catalog/write-catalog.ts";
import type { Catalog, Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import { anyCatalog } from "../support/any-catalog.ts";
import { setup } from "../support/harness.ts";

const read = (text: string) => parseCatalog(text, "c.yaml").catalog;

/** The plans of these keys, without what the server adds. */
function plansOf(catalog: Catalog | undefined, keys: readonly string[]): Plan[] {
  return keys
    .flatMap((key) => catalog?.plans.filter((plan) => plan.key === key) ?? [])
    .map((p) => ({ ...p, version: 0 }));
}

test("a plan's YAML survives push and pull unchanged", { timeout: 120_000 }, async () => {
  const { clients } = await setup();
  const push = async (catalog: Catalog) => (await clients.pricing.pushCatalog({ catalog })).plans.length;
  const pull = async () => (await clients.pricing.pullCatalog({})).catalog;
  await fc.assert(
    fc.asyncProperty(anyCatalog(), async (catalog) => {
      const text = writeCatalog(catalog);
      expect(read(text)).toEqual(catalog);
      await push(read(text));
      const pulled = await pull();
      const keys = catalog.plans.map(({ key }) => key);
      expect(plansOf(pulled, keys)).toEqual(catalog.plans);
      expect(writeCatalog({ ...catalog, plans: plansOf(pulled, keys) })).toBe(text);
      expect(await push(read(writeCatalog(pulled as Catalog)))).toBe(0);
    }),
    { numRuns: 40 },
  );
});
