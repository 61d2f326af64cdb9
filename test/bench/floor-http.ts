import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

// The floor of `POST /api/track`: a bare node:http server that parses the JSON and answers a constant.

const answer = JSON.stringify({ outcome: "accepted", idempotencyKey: "00000000-0000-7000-8000-000000000000" });

const server = createServer({ noDelay: true }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    JSON.parse(Buffer.concat(chunks).toString());
    response.writeHead(200, { "content-type": "application/json", "content-length": answer.length });
    response.end(answer);
  });
});
server.listen(0, "127.0.0.1", () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.on("disconnect", () => process.exit(0));
