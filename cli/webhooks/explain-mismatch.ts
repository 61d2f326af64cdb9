import { type SignedMessage, type VerifyOptions, verify } from "./verify.ts";

/**
 * Why no signature matches, where one of the usual mistakes explains it: a body that was changed on its way, or a secret
 * that one side reads in another way. Otherwise nobody can tell a wrong secret from a changed message.
 */
export function explainMismatch(message: SignedMessage, secret: string, options: VerifyOptions): string {
  for (const [change, body] of otherBodies(Buffer.from(message.body))) {
    if (verify({ ...message, body }, secret, options).verified)
      return `the body was changed: what was signed ${change}`;
  }
  for (const [reading, key] of otherKeys(secret)) {
    const other = `whsec_${key.toString("base64")}`;
    if (verify(message, other, options).verified)
      return `the secret is used in another way: the sender signed with ${reading}`;
  }
  return "either the secret is not the endpoint's, or the body, the id or the timestamp was changed after signing";
}

/** What the body may have been, and how that differs from what is here. */
function* otherBodies(body: Buffer): Generator<[change: string, body: Buffer]> {
  const text = body.toString();
  const other = (changed: string) => Buffer.from(changed);
  yield ["has no line break at its end", other(text.replace(/\r?\n$/, ""))];
  yield ["has a line break at its end", other(`${text}\n`)];
  yield ["has no byte order mark", other(text.replace(/^\ufeff/, ""))];
  yield ["has line breaks of \\n alone", other(text.replaceAll("\r\n", "\n"))];
  yield ["has line breaks of \\r\\n", other(text.replace(/(?<!\r)\n/g, "\r\n"))];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return;
  }
  yield ["is the same JSON without spaces", other(JSON.stringify(parsed))];
  yield ["is the same JSON, indented by 2", other(JSON.stringify(parsed, null, 2))];
  yield ["is the same JSON with a space after , and :", other(spaced(parsed))];
}

/** JSON as Python writes it. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}: ${spaced(field)}`);
  return `{${fields.join(", ")}}`;
}

/** What else a secret of v1 may be taken for. */
function otherKeys(secret: string): [reading: string, key: Buffer][] {
  const text = secret.replace(/^whsec_/, "");
  return secret.startsWith("whsec_")
    ? [
        ["the text of the secret with whsec_, not with the bytes that its base64 stands for", Buffer.from(secret)],
        ["the text after whsec_, not with the bytes that its base64 stands for", Buffer.from(text)],
      ]
    : [];
}
