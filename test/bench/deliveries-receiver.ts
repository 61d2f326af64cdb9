import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

// The receiver of the deliveries: reads what comes, answers 204, and tells how many came.

let count = 0;
const server = createServer({ noDelay: true }, (request, response) => {
  request.resume();
  request.on("end", () => {
    count++;
    response.writeHead(204).end();
  });
});
process.on("message", () => process.send?.(count));
process.on("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`));
