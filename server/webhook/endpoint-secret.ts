import { randomBytes } from "node:crypto";
import { SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import { invalid } from "../rpc/errors.ts";
import { formatSecret, parsePrivateKey, parseSecret, publicKeyOf } from "./signature.ts";

const SECRET_BYTES = 32;

/** What an endpoint's messages are to be signed with. */
export interface EndpointSecret {
  kind: "V1" | "V1A";
  /** The secret of `v1`, the seed of `v1a`. */
  bytes: Buffer;
  publicKey: Buffer | null;
  /** What the caller is shown, once. Nothing of a private key: receivers do not need it. */
  shown: string;
}

/** The secret that a caller gave, or, for an empty one, a new one. Refuses one of another kind. */
export function takeSecret(kind: SignatureKind, given: string): EndpointSecret {
  if (kind === SignatureKind.V1A) {
    const seed = given ? parsePrivateKey(given) : randomBytes(SECRET_BYTES);
    if (!seed) {
      throw invalid("secret", "secret must be whsk_ and an ed25519 seed and its public key, 64 bytes, in base64");
    }
    return { kind: "V1A", bytes: seed, publicKey: publicKeyOf(seed), shown: "" };
  }
  const bytes = given ? parseSecret(given) : randomBytes(SECRET_BYTES);
  if (!bytes) throw invalid("secret", "secret must be whsec_ and 24 to 64 bytes in base64");
  return { kind: "V1", bytes, publicKey: null, shown: formatSecret(bytes) };
}
