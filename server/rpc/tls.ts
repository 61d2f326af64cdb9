import { unwatchFile, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import tls from "node:tls";
import { errorFacts, type Log } from "../log.ts";

// How often the files are looked at. By looking: what renews certificates replaces files, links and whole folders.
const LOOK_MS = 10_000;

export interface TlsFiles {
  certFile: string;
  keyFile: string;
}

/** Speaks TLS on connections that others accept. */
export interface TlsFront {
  /** Begins TLS on a connection. */
  begin(socket: Socket): void;
  /** Takes the certificate from its files again, for connections from now on. One that is no good changes nothing. */
  reload(): Promise<void>;
  close(): void;
}

/** A front with the certificate of these files, which are read again when they change. Throws when they are no good. */
export async function createTlsFront(
  files: TlsFiles,
  options: { log: Log; handshakeTimeoutMs: number; onSecure: (socket: tls.TLSSocket) => void },
): Promise<TlsFront> {
  const { log, handshakeTimeoutMs, onSecure } = options;
  const read = async () => ({
    cert: await readFile(files.certFile),
    key: await readFile(files.keyFile),
    minVersion: "TLSv1.2" as const,
  });
  const server = tls.createServer(
    { ...(await read()), ALPNProtocols: ["h2", "http/1.1"], handshakeTimeout: handshakeTimeoutMs },
    onSecure,
  );
  server.on("tlsClientError", (_, socket) => socket.destroy());
  const reload = async () => {
    try {
      server.setSecureContext(await read());
      log.info("tls.certificate_read");
    } catch (error) {
      log.error("tls.certificate_not_read", errorFacts(error));
    }
  };
  const onChange = () => void reload();
  const watched = [files.certFile, files.keyFile];
  for (const file of watched) watchFile(file, { interval: LOOK_MS, persistent: false }, onChange);
  return {
    begin: (socket) => void server.emit("connection", socket),
    reload,
    close() {
      for (const file of watched) unwatchFile(file, onChange);
    },
  };
}
