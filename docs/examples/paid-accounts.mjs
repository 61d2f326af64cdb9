// A webhook handler that marks accounts paid. It takes each event once: the `webhook-id`, which is the same over all
// attempts, is written in the transaction of what the event changes.
//
//   USAGEFLOW_WEBHOOK_SECRET=whsec_... DATABASE_FILE=accounts.db PORT=4000 node paid-accounts.mjs

import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { webhookListener } from "usageflow/webhooks/handler";

const { USAGEFLOW_WEBHOOK_SECRET = "", DATABASE_FILE = "accounts.db", PORT = "4000" } = process.env;

const database = new DatabaseSync(DATABASE_FILE);
database.exec(`
  create table if not exists account (customer_id text primary key, paid_until text not null, invoices_paid integer not null);
  create table if not exists handled_webhook (id text primary key);
`);
const remember = database.prepare("insert into handled_webhook (id) values (?) on conflict do nothing");
// Events may arrive in another order than they happened, so the date only ever goes forward.
const markPaid = database.prepare(`
  insert into account (customer_id, paid_until, invoices_paid) values (?, ?, 1)
  on conflict (customer_id) do update
  set paid_until = max(paid_until, excluded.paid_until), invoices_paid = invoices_paid + 1
`);

const listener = webhookListener({ secret: USAGEFLOW_WEBHOOK_SECRET.split(" ") }, (event) => {
  if (event.type !== "invoice.paid") return; // taken, and of no interest
  const { customerId, periodEnd = "" } = event.data.invoice;
  database.exec("begin immediate");
  try {
    const isNew = remember.run(event.id).changes === 1;
    if (isNew) markPaid.run(customerId, periodEnd);
    database.exec("commit");
    console.log(isNew ? `${customerId} has paid until ${periodEnd}` : `${event.id} again`);
  } catch (error) {
    database.exec("rollback");
    throw error; // answered 500, and sent again later
  }
});

createServer(listener).listen(Number(PORT), () => console.log("listening"));
