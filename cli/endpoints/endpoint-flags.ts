import { Flags } from "@oclif/core";
import { SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import { CliError } from "../cli-error.ts";

/** Headers and notes of an endpoint, and which events it gets. */
export const endpointFlags = {
  "max-per-second": Flags.integer({
    description: "Send at most this many a second; 0: no limit.",
    min: 0,
    max: 10_000,
  }),
  "max-in-flight": Flags.integer({
    description: "Send at most this many at a time; 0: no limit.",
    min: 0,
    max: 10_000,
  }),
  ordered: Flags.boolean({
    description: "Send the events of a customer one after the other; the next waits for the one before.",
    allowNo: true,
  }),
  event: Flags.string({
    description: "Only this type; invoice.* for all of a noun, * for all. May be given again.",
    multiple: true,
  }),
  description: Flags.string({ description: "For people." }),
  header: Flags.string({
    description: 'A header to send with each message, such as "authorization: Bearer abc". May be given again.',
    helpValue: "NAME:VALUE",
    multiple: true,
  }),
  metadata: Flags.string({
    description: "A note of your own, such as team=billing. May be given again.",
    helpValue: "KEY=VALUE",
    multiple: true,
  }),
};

/** A signing secret, and what it signs. */
export const secretFlags = {
  signature: Flags.string({
    description: "How messages are signed: v1 with a shared secret, v1a with an ed25519 key.",
    options: ["v1", "v1a"],
  }),
  secret: Flags.string({ description: "A secret of your own: whsec_..., or whsk_... for v1a." }),
};

/** Headers from what a person wrote: `name: value`. */
export function parseHeaders(texts: readonly string[]): Record<string, string> {
  return parsePairs(texts, /^([^:]+):\s*(.*)$/s, 'header: write it like "authorization: Bearer abc"');
}

/** Notes from what a person wrote: `key=value`. */
export function parseMetadata(texts: readonly string[]): Record<string, string> {
  return parsePairs(texts, /^([^=]+)=(.*)$/s, "note: write it like team=billing");
}

/** The kind of a signature, of the flag's value. */
export function signatureKind(flag: string | undefined): SignatureKind {
  if (flag === undefined) return SignatureKind.UNSPECIFIED;
  return flag === "v1a" ? SignatureKind.V1A : SignatureKind.V1;
}

// What was written is not quoted: it may be a password.
function parsePairs(texts: readonly string[], form: RegExp, words: string): Record<string, string> {
  const pairs = texts.map((text) => {
    const [, name, value] = form.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new CliError("usage", `that is no ${words}`);
    return [name.trim(), value.trim()] as const;
  });
  const twice = pairs.find(([name], at) => pairs.findIndex(([other]) => other === name) !== at);
  if (twice) throw new CliError("usage", `${twice[0]} is given twice`);
  return Object.fromEntries(pairs);
}
