import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A certificate and the key of it, as a TLS server takes them. */
export interface Certificate {
  cert: string;
  key: string;
}

interface CertificateOptions {
  /** The name that it is for. */
  name: string;
  validUntil: Date;
  /** Who signs it; itself when nobody does. */
  by?: { name: string; privateKey: KeyObject };
  /** Whether it may sign others. */
  authority?: boolean;
}

/** Makes a certificate: Node reads X.509 and writes none, and a file with one would run out some day. */
export function makeCertificate(options: CertificateOptions): Certificate & { name: string; privateKey: KeyObject } {
  const { name, validUntil, authority = false } = options;
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const signer = options.by ?? { name, privateKey };
  const algorithm = sequence(oid(0x2b, 0x65, 0x70));
  const extensions = sequence(
    sequence(oid(0x55, 0x1d, 0x13), octets(sequence(...(authority ? [tagged(0x01, Buffer.of(0xff))] : [])))),
    sequence(oid(0x55, 0x1d, 0x11), octets(sequence(tagged(0x82, Buffer.from(name))))),
  );
  const body = sequence(
    tagged(0xa0, tagged(0x02, Buffer.of(2))), // version 3
    tagged(0x02, Buffer.of(1)),
    algorithm,
    nameOf(signer.name),
    sequence(time(new Date(validUntil.getTime() - 365 * 86_400_000)), time(validUntil)),
    nameOf(name),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, extensions),
  );
  const signature = sign(null, body, signer.privateKey);
  const der = sequence(body, algorithm, tagged(0x03, Buffer.concat([Buffer.of(0), signature])));
  const cert = `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`;
  return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }) as string, name, privateKey };
}

function nameOf(text: string): Buffer {
  return sequence(tagged(0x31, sequence(oid(0x55, 0x04, 0x03), tagged(0x0c, Buffer.from(text)))));
}

function time(at: Date): Buffer {
  return tagged(0x18, Buffer.from(`${at.toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`));
}

function oid(...bytes: number[]): Buffer {
  return tagged(0x06, Buffer.from(bytes));
}

function octets(content: Buffer): Buffer {
  return tagged(0x04, content);
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

/** DER: what it is, how long, and what is in it. */
function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
