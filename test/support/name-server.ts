import { createSocket } from "node:dgram";
import { onTestFinished } from "vitest";

/** Types of what is asked for, as DNS numbers them. */
const TYPES: Record<number, "A" | "AAAA"> = { 1: "A", 28: "AAAA" };

/** Addresses of a name by their type, as bytes; "silence": it is asked and never answers. */
export type Zone = Record<string, { A?: number[]; AAAA?: number[] } | "silence">;

export interface NameServer {
  /** Address and port. */
  address: string;
  /** Names that were asked for, each as often as it was. */
  asked: string[];
}

/** A name server on loopback: what is not in its zone does not exist. */
export async function startNameServer(zone: Zone): Promise<NameServer> {
  const asked: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const { name, end } = readName(query);
    asked.push(name);
    const known = zone[name];
    if (known === "silence") return;
    const type = TYPES[query.readUInt16BE(end)];
    const address = type && known?.[type];
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(known ? 0x8180 : 0x8183, 2); // an answer; with 3, there is no such name
    header.writeUInt16BE(address ? 1 : 0, 6);
    header.fill(0, 8); // neither authority nor additions
    const question = query.subarray(12, end + 4);
    socket.send(
      Buffer.concat([header, question, address ? record(query.readUInt16BE(end), address) : Buffer.of()]),
      from.port,
      from.address,
    );
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  onTestFinished(() => new Promise<void>((resolve) => void socket.close(resolve)));
  return { address: `127.0.0.1:${socket.address().port}`, asked };
}

/** The name in the question, in small letters, and where it ends. */
function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), end: at + 1 };
}

/** A record of the name that was asked for, good for no time. */
function record(type: number, address: number[]): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // the name at byte 12
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4); // of the internet
  head.writeUInt16BE(address.length, 10);
  return Buffer.concat([head, Buffer.from(address)]);
}
