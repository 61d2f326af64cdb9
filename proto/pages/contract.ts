import {
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  getOption,
  type JsonObject,
  toJson,
} from "@bufbuild/protobuf";
import { getComments } from "@bufbuild/protoplugin";
import { FieldRulesSchema, field as rulesOfField } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { grants, Place, permission, place, RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";

/** What the contract says of a thing in words, without the indentation of comments. */
export function wordsOf(desc: Parameters<typeof getComments>[0]): string {
  const text = getComments(desc).leading ?? "";
  return text.replace(/^ /gm, "").trim();
}

/** The rules of a field that `buf.validate` holds, as JSON: `{ string: { maxLen: "64" } }`. Empty: none. */
export function rulesOf(field: DescField): JsonObject {
  return toJson(FieldRulesSchema, getOption(field, rulesOfField)) as JsonObject;
}

const WHO: Record<Place, string> = {
  [Place.UNSPECIFIED]: "",
  [Place.EITHER]: "With an access token and no `x-usageflow-tenant`, it is the organization's.",
  [Place.ORGANIZATION]: "Takes a member's access token.",
  [Place.SERVER]: "Takes the operator's key.",
  [Place.INVITE]: "Takes the code of an invite in the key's stead.",
};

/** The permission of a method, the roles that have it, and what else a caller must come with. */
export function accessOf(method: DescMethod): { needed: string; roles: string[]; who: string; namesTenant: boolean } {
  const needed = getOption(method, permission);
  const at = getOption(method, place);
  const has = (grant: string) => grant === "*" || grant === needed || (grant === "*:read" && needed.endsWith(":read"));
  const roles = RoleSchema.values
    .filter((value) => needed !== "" && getOption(value, grants).some(has))
    .map((value) => value.localName.toLowerCase());
  const namesTenant = at === Place.UNSPECIFIED || at === Place.EITHER;
  return { needed, roles, who: WHO[at] ?? "", namesTenant };
}

/** Messages that stand in a service's own file: what its methods take and answer. */
export function isOfService(message: DescMessage | DescEnum): boolean {
  return message.file.services.length > 0;
}

/** All messages of files, those within others too; entries of maps apart. */
export function messagesOf(files: readonly DescFile[]): DescMessage[] {
  const within = (message: DescMessage): DescMessage[] => [message, ...message.nestedMessages.flatMap(within)];
  return files.flatMap((file) => file.messages.flatMap(within));
}

/** All enumerations of files, those within messages too. */
export function enumsOf(files: readonly DescFile[]): DescEnum[] {
  const nested = messagesOf(files).flatMap((message) => message.nestedEnums);
  return [...files.flatMap((file) => file.enums), ...nested];
}
