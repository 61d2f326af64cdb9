import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { Clients } from "../support/clients.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const ids = Array.from({ length: 23 }, (_, place) => `cus-${String((place * 7) % 23).padStart(2, "0")}`);

async function putAll({ tenant }: Clients): Promise<void> {
  for (const id of ids) await tenant.putCustomer({ customer: { id } });
}

async function pages({ tenant }: Clients, pageSize: number): Promise<string[][]> {
  const found: string[][] = [];
  let pageToken = "";
  do {
    const page = await tenant.listCustomers({ pageSize, pageToken });
    found.push(page.customers.map((customer) => customer.id));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

test("pages tile a list without gap or overlap, whatever their size", async () => {
  const { clients } = await setup();
  await putAll(clients);
  for (const size of [1, 2, 7, 22, 23, 24, 1_000, 0]) {
    const found = await pages(clients, size);
    expect([size, found.flat()]).toEqual([size, [...ids].sort()]);
    expect([size, found.length]).toEqual([size, Math.ceil(23 / (size || 100))]);
  }
});

test("what is put in between two pages does not shift the next one", async () => {
  const { clients } = await setup();
  await putAll(clients);
  const first = await clients.tenant.listCustomers({ pageSize: 10 });
  await clients.tenant.putCustomer({ customer: { id: "cus-00a" } });
  const next = await clients.tenant.listCustomers({ pageSize: 100, pageToken: first.nextPageToken });
  const all = [...first.customers, ...next.customers].map((customer) => customer.id);
  expect(all).toEqual([...ids].sort());
});

test("a page token is good for its list and its tenant alone, and cannot be made or changed", async () => {
  const { clients, clientsFor, tenant, addOrganization } = await setup();
  const others = [clientsFor((await addOrganization("Other")).testKey), clientsFor(tenant.liveKey)];
  await putAll(clients);
  const { nextPageToken: token } = await clients.tenant.listCustomers({ pageSize: 1 });
  const reason = ErrorReason.PAGE_TOKEN_INVALID;
  const invalid = { code: 3, reason, field: "page_token" };
  for (const other of others) {
    expect(await refused(other.tenant.listCustomers({ pageToken: token }))).toEqual(invalid);
  }
  expect(await refused(clients.tenant.listApiKeys({ pageToken: token }))).toEqual(invalid);
  expect(await refused(clients.invoice.listInvoices({ pageToken: token }))).toEqual(invalid);
  const bytes = Buffer.from(token, "base64url");
  for (let place = 0; place < bytes.length; place++) {
    const forged = Buffer.from(bytes);
    forged.writeUInt8((bytes[place] as number) ^ 1, place);
    const pageToken = forged.toString("base64url");
    expect([place, await refused(clients.tenant.listCustomers({ pageToken }))]).toEqual([place, invalid]);
  }
  for (const pageToken of ["A", "AAAA", token.slice(0, 10), `${token}AAAA`]) {
    expect(await refused(clients.tenant.listCustomers({ pageToken }))).toEqual(invalid);
  }
});

test("a page size is 0 to 1,000", async () => {
  const { clients } = await setup();
  for (const pageSize of [-1, 1_001, 2_147_483_647]) {
    expect(await refused(clients.tenant.listCustomers({ pageSize }))).toMatchObject({ code: 3, field: "page_size" });
  }
});
