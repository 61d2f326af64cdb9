import { readFileSync } from "node:fs";
import { create, fromJson, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { type Clients, clientsOver } from "./clients.ts";

/** The contract's routes of JSON, as the document tells them. */
export const openApi = parse(readFileSync("docs/reference/openapi.yaml", "utf8")) as JsonObject & {
  paths: Record<string, { post: JsonObject }>;
  components: { schemas: Record<string, JsonObject> };
};

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
for (const format of ["int32", "int64", "float", "double"]) ajv.addFormat(format, true);
ajv.addFormat("date-time", (text: string) => !Number.isNaN(Date.parse(text)));
for (const keyword of ["openapi", "info", "servers", "tags", "security", "paths", "components"])
  ajv.addKeyword(keyword);
ajv.addSchema(openApi, "openapi");

const compiled = new Map<string, ValidateFunction>();

/** Where a value is not what the document's schema says. */
export function openApiProblems(schema: string, value: JsonValue): string[] {
  const check = compiled.get(schema) ?? ajv.compile({ $ref: `openapi#/components/schemas/${schema}` });
  compiled.set(schema, check);
  if (check(value)) return [];
  return (check.errors ?? []).map(
    (error) => `${schema}${error.instancePath} ${error.message}: ${JSON.stringify(value)}`,
  );
}

/** What calls and answers were seen, and what of them is not as the document says. */
export interface Watched {
  clients: Clients;
  /** Names of the methods that were called and answered, `TenantService/GetTenant`. */
  answered: Set<string>;
  problems: string[];
}

/** Clients that send plain JSON by `fetch`, and hold each request and each answer against the document. */
export function watchedClients(url: string, secret: string): Watched {
  const answered = new Set<string>();
  const problems: string[] = [];
  const streams = createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
  const transport: Transport = {
    stream: streams.stream.bind(streams),
    async unary(method, _signal, _timeoutMs, header, input) {
      const { parent, name } = method;
      const asked = toJson(method.input, create(method.input, input));
      problems.push(...openApiProblems(method.input.name, asked));
      const headers = new Headers(header);
      headers.set("content-type", "application/json");
      headers.set("authorization", `Bearer ${secret}`);
      const path = `/${parent.typeName}/${name}`;
      const response = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(asked) });
      const body = (await response.json()) as JsonValue;
      if (!response.ok) {
        problems.push(...openApiProblems("Refusal", body));
        throw errorFromJson(body, response.headers, new ConnectError(`HTTP ${response.status}`, Code.Unknown));
      }
      problems.push(...openApiProblems(method.output.name, body));
      answered.add(`${parent.name}/${name}`);
      const message = fromJson(method.output, body);
      return { stream: false, service: parent, method, header: response.headers, trailer: new Headers(), message };
    },
  };
  return { clients: clientsOver(transport), answered, problems };
}
