import type { BlockList, Socket } from "node:net";
import { contains } from "../cidr.ts";
import { machineOf, plainAddress } from "./origin.ts";
import { Places } from "./places.ts";

/**
 * Whether there is room for a connection, which then has its place until it closes: of all that a process takes, one machine
 * holds its share at most. `proxies` bring connections of many.
 */
export function connectionRoom(max: number, proxies: BlockList): (socket: Socket) => boolean {
  const places = new Places(max);
  return (socket) => {
    const address = plainAddress(socket.remoteAddress ?? "");
    const machine = machineOf(address ?? "");
    if (!places.hasRoom(machine) && !(address && contains(proxies, address))) return false;
    places.hold(machine);
    socket.once("close", () => places.giveBack(machine));
    return true;
  };
}
