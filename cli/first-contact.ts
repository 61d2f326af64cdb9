import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** For Connect: an error with this code is told as unavailable. */
const SILENT = { code: "ETIMEDOUT" };
/** A server that is there says its first word (HTTP/2 settings) at once. */
const CONTACT_MS = 4_000;
const PORTS: Record<string, number> = { "http:": 80, "https:": 443 };

/**
 * Opens the connection for an HTTP/2 session, and gives up when the server says nothing at first: a firewall that drops
 * packets, or a process that hangs, would cost the call's whole deadline. What takes long later is not concerned.
 */
export function openConnection({ protocol, hostname, port }: URL): Socket {
  const host = hostname.replace(/^\[(.*)\]$/, "$1"); // as a URL writes an IPv6 address
  const at = { host, port: port === "" ? (PORTS[protocol] as number) : Number(port) };
  const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
  const socket = protocol === "https:" ? connectTls({ ...at, ...name, ALPNProtocols: ["h2"] }) : connectTcp(at);
  const timer = setTimeout(() => {
    if (socket.bytesRead > 0) return;
    socket.destroy(
      Object.assign(new Error(`${host}:${at.port} did not answer within ${CONTACT_MS / 1_000} s`), SILENT),
    );
  }, CONTACT_MS);
  timer.unref(); // the socket holds the process while somebody waits for it
  socket.once("close", () => clearTimeout(timer));
  return socket;
}
