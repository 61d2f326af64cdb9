import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import { Args } from "@oclif/core";
import { type Delivery, DeliverySchema, DeliveryState, type Endpoint } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { deliveryText } from "../../output/delivery.ts";
import { spanFlag } from "../../time.ts";

const POLL_MS = 100;
const WAIT_S = 30n; // twice what a receiver has to answer

export default class EndpointsTest extends ClientCommand {
  static override summary = "Send a test event to one endpoint, and tell how it was answered.";
  static override description =
    "The event's type is webhook.test, and no other endpoint gets it. Exits with 1 if the first try failed; it is tried again like any other, which is not waited for.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3",
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3 --json",
  ];
  static override args = {
    endpoint: Args.string({ required: true, description: "Its id (whe_...), from endpoints list." }),
  };
  static override flags = {
    wait: spanFlag({ description: "Wait this long for the first try. Default: 30s." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EndpointsTest);
    const service = await this.client(WebhookService, flags);
    const { pausedAt, disabledAt } = (await service.getEndpoint({ id: args.endpoint })).endpoint as Endpoint;
    if (pausedAt || disabledAt) {
      const words = `the endpoint is ${disabledAt ? "disabled" : "paused"}: nothing is sent to it`;
      throw new CliError("failed_precondition", words, {
        hint: `Resume it: usageflow endpoints resume ${args.endpoint}`,
      });
    }
    const sent = (await service.sendTestEvent({ endpointId: args.endpoint })).delivery as Delivery;
    const waitMs = Number(flags.wait ?? WAIT_S) * 1_000;
    const delivery = await tried(service, sent.id, waitMs);
    this.answerOne(DeliverySchema, delivery, () => deliveryText(delivery));
    if (delivery.state === DeliveryState.DELIVERED) return;
    if (delivery.attempts.length > 0) throw new CliError("failed", `the test failed: ${delivery.lastError}`);
    throw new CliError("deadline_exceeded", `the test event was not sent within ${waitMs / 1_000} s`, {
      hint: `See what becomes of it with: usageflow deliveries show ${delivery.id}`,
    });
  }
}

/** The delivery once it was tried, or as it is when the wait is over. */
async function tried(service: Client<typeof WebhookService>, id: string, waitMs: number): Promise<Delivery> {
  const until = performance.now() + waitMs;
  for (;;) {
    const delivery = (await service.getDelivery({ id })).delivery as Delivery;
    const over = delivery.attempts.length > 0 || delivery.state !== DeliveryState.PENDING;
    if (over || performance.now() >= until) return delivery;
    await sleep(POLL_MS);
  }
}
