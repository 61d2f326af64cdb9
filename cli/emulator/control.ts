import { request } from "node:http";
import { text } from "node:stream/consumers";
import { CliError } from "../cli-error.ts";
import type { Failure } from "../failure.ts";
import { type Locator, readLocatorOf, readLocators } from "../locator.ts";
import type { Order, Orders } from "./control-server.ts";

/** The emulator that a command is about: the one of the name, else that of this folder, else the one started last. */
export async function findEmulator(name: string | undefined, say: (words: string) => void): Promise<Locator> {
  if (name !== undefined) {
    const found = await readLocatorOf(name);
    if (found) return found;
    throw new CliError("unavailable", `no emulator of the name "${name}" is running`, {
      hint: `Start one with: usageflow emulator start --name ${name}`,
    });
  }
  const [found, ...others] = await readLocators();
  if (!found) {
    throw new CliError("unavailable", "no emulator is running", { hint: "Start one with: usageflow emulator start" });
  }
  if (others.length > 0)
    say(`${others.length + 1} emulators are running. Used is ${found.url}, of ${found.folder}; --name takes another.`);
  return found;
}

/** Gives an order to an emulator, and answers what it answers when it is done. */
export async function giveOrder<Name extends Order>(
  { controlUrl, controlToken }: Locator,
  name: Name,
  asked: Orders[Name]["asked"],
): Promise<Orders[Name]["answered"]> {
  const { status, body } = await post(`${controlUrl}/${name}`, controlToken, JSON.stringify(asked)).catch((cause) => {
    throw new CliError("unavailable", "the emulator does not answer", { hint: "Is it being stopped?" }, cause);
  });
  if (status === 200) return JSON.parse(body);
  const { code, message, ...facts } = JSON.parse(body) as Partial<Failure>;
  throw new CliError((code ?? "failed") as CliError["code"], message ?? `the emulator answered ${status}`, facts);
}

function post(url: string, token: string, body: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", connection: "close" };
    const sent = request(url, { method: "POST", headers }, async (response) => {
      resolve({ status: response.statusCode ?? 0, body: await text(response) });
    });
    sent.once("error", reject);
    sent.end(body);
  });
}
