import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A way to a server that can be cut. */
export interface CuttingProxy {
  url: string;
  /** Ends all connections, as a network that goes away does. New ones are made at once. */
  cut(): void;
}

/**
 * Hands bytes on to the server that `target` names when a connection is made. With a limit, a connection is cut that has
 * brought so many from it.
 */
export async function startCuttingProxy(target: () => string, bytesMax = Infinity): Promise<CuttingProxy> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const { hostname, port } = new URL(target());
    const far = connect(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
    far.on("data", () => {
      if (far.bytesRead > bytesMax) far.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  onTestFinished(() => {
    server.close();
    cut();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut };
}
