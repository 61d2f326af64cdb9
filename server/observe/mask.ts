// The second net: what looks like a secret is masked wherever it stands. The first one is that only known facts are written.

const MASK = "[masked]";

const KNOWN: readonly RegExp[] = [
  /\b(uf_[a-z]+|whsec|whsk|whpk)_[A-Za-z0-9+/=_-]+/g, // ours: keys, tokens, codes, webhook secrets
  /\b(Bearer|Basic)\s+[^\s"',]+/gi,
  /\beyJ[\w-]+\.[\w.-]+/g, // a JSON web token
  /-----BEGIN [A-Z ]+-----[\s\S]*?(-----END [A-Z ]+-----|$)/g,
  /\b(AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\b(gh[pousr]|sk_live|sk_test|rk_live|xox[abpr])[_-][\w-]{10,}/g,
  /\b(password|passwd|pwd|secret|token|api[_-]?key|authorization|signature)\s*[=:]\s*[^\s&,;]+/gi,
];
// No word is as long: a key, a hash, a payload in base64.
const LONG = /(?=[A-Za-z+/_=-]*\d)[A-Za-z0-9+/_=-]{40,}/g;
// Of a URL, who and what for: the host remains.
const USER_INFO = /(?<=[a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi;
const PATH_AND_QUERY = /(?<=[a-z][a-z0-9+.-]*:\/\/[^\s/?#"'<>]+)[/?#][^\s"'<>]*/gi;

/** Text without what has the form of a secret: of a URL its host remains. */
export function maskKnown(text: string): string {
  let masked = text.replace(USER_INFO, "").replace(PATH_AND_QUERY, "");
  for (const secret of KNOWN) masked = masked.replace(secret, MASK);
  return masked;
}

/** The same, and without what could be one. */
export function maskSecrets(text: string): string {
  return maskKnown(text).replace(LONG, MASK);
}
