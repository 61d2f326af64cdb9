import { readFile } from "node:fs/promises";
import { getOption } from "@bufbuild/protobuf";
import { Place, PlaceSchema, permission, place, type Role, RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";
import { allows } from "../../server/rpc/permission.ts";
import { services } from "../support/services.ts";

const methods = services.flatMap((service) => service.methods);
const roles = RoleSchema.values.filter(({ number }) => number !== 0);
const CONTRACT = new URL("../../proto/usageflow/v1/permission.proto", import.meta.url);

/** Where no role is asked for. */
const BY_WHAT_THEY_COME_WITH = [Place.SERVER, Place.INVITE] as readonly Place[];

const HEAD = `# Roles

What each role may do, as the contract says it (\`proto/usageflow/v1/permission.proto\`) and the server reads it. This page is
written by \`npm run gen:docs\`. Members and API keys have one role each: [Members](members.md), [Keys and secrets](keys.md).
`;

/** The page of roles, from the contract. */
export async function rolePage(): Promise<string> {
  const contract = await readFile(CONTRACT, "utf8");
  const whats = roles.map(({ name, number }) => [`\`${roleName(number as Role)}\``, comment(contract, name)]);
  const byRole = methods.filter((method) => !BY_WHAT_THEY_COME_WITH.includes(getOption(method, place)));
  const named = Map.groupBy(byRole, (method) => getOption(method, permission));
  const grants = [...named]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([needed, of]) => [
      `\`${needed}\``,
      ...roles.map(({ number }) => (allows(number as Role, needed) ? "yes" : "")),
      of.map(({ name }) => name).join(", "),
    ]);
  const elsewhere = PlaceSchema.values
    .filter(({ number }) => number !== Place.UNSPECIFIED)
    .map(({ name, number }) => [
      comment(contract, name),
      methods
        .filter((method) => getOption(method, place) === number)
        .map(({ name }) => name)
        .join(", "),
    ]);
  return [
    HEAD,
    table(["role", "what it is for"], whats),
    "## What each may call\n",
    table(["permission", ...roles.map(({ number }) => roleName(number as Role)), "methods"], grants),
    "## Where a method runs\n",
    `${comment(contract, "PLACE_UNSPECIFIED")} The others:\n`,
    table(["where", "methods"], elsewhere),
  ].join("\n");
}

function roleName(role: Role): string {
  return (RoleSchema.value[role]?.name ?? "").replace("ROLE_", "").toLowerCase();
}

/** What the contract says above a value. Descriptors do not carry it. */
function comment(contract: string, value: string): string {
  const [, lines = ""] = new RegExp(`((?: *//.*\\n)+) *${value} = `).exec(contract) ?? [];
  return lines
    .replaceAll(/ *\/\/ ?/g, "")
    .trim()
    .replaceAll("\n", " ");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line), ""].join("\n");
}
