/** What is secret wherever it stands: API keys, webhook secrets and private keys, passwords in URLs. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/\b(uf_(?:live|test|pat|inv)_)[0-9A-Za-z]{8,}/g, "$1..."],
  [/\b(wh(?:sec|sk)_)[A-Za-z0-9+/=]{8,}/g, "$1..."],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@]+@/gi, "$1...@"],
];

/** A text without the secrets in it: somebody may have put one where it does not belong, and errors end up in logs. */
export function redacted(text: string): string {
  return SECRETS.reduce((told, [secret, instead]) => told.replace(secret, instead), text);
}
