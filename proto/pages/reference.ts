import {
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { accessOf, enumsOf, isOfService, messagesOf, rulesOf, wordsOf } from "./contract.ts";

const HEAD = "<!-- Generated from the contract in proto/ by `npm run gen`. -->\n\n";

/** A service as a page: its methods with what they take, answer and need. */
export function servicePage(service: DescService): string {
  const rows = service.methods.map((method) => {
    const { needed, roles } = accessOf(method);
    return `| [${method.name}](#${method.name.toLowerCase()}) | ${needed ? `\`${needed}\`` : "none"} | ${roles.join(", ")} |`;
  });
  const others = service.file.messages.filter(
    (message) => !service.methods.some(({ input, output }) => input === message || output === message),
  );
  return [
    `${HEAD}# ${service.name}`,
    wordsOf(service),
    `Full name: \`${service.typeName}\`. Messages that several services share are in [types](types.md).`,
    `| method | permission | roles |\n| --- | --- | --- |\n${rows.join("\n")}`,
    ...service.methods.map(methodPart),
    ...(others.length > 0 ? ["## Messages of these methods"] : []),
    ...others.map((message) => messagePart(message, "###")),
    ...enumsOf([service.file]).map((one) => enumPart(one, "###")),
  ].join("\n\n");
}

/** All messages and enumerations that stand beside the services. */
export function typesPage(files: readonly DescFile[]): string {
  const messages = messagesOf(files.filter((file) => file.services.length === 0));
  const enums = enumsOf(files.filter((file) => file.services.length === 0));
  const byName = <T extends { name: string }>(all: T[]) => all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [
    `${HEAD}# Types`,
    "The messages and enumerations that the services share. Names of fields are those of JSON; in protobuf they have " +
      "underscores (`customerId` is `customer_id`). In JSON, 64-bit numbers are text, times are RFC 3339, bytes are base64.",
    ...byName(messages).map((message) => messagePart(message, "##")),
    "# Enumerations",
    ...byName(enums).map((one) => enumPart(one, "##")),
  ].join("\n\n");
}

function methodPart(method: DescMethod): string {
  const { needed, roles, who } = accessOf(method);
  const level =
    method.idempotency === Level.NO_SIDE_EFFECTS
      ? "Reads only."
      : method.idempotency === Level.IDEMPOTENT
        ? "Doing it again changes nothing."
        : "Safe to send again with an `idempotency-key` header, where the text above says nothing else.";
  const facts = [
    needed ? `Permission \`${needed}\`: ${roles.join(", ") || "no role"}.` : "Needs no permission.",
    who,
    method.methodKind === "server_streaming" ? "Answers a stream." : "",
    level,
  ];
  const given = (message: DescMessage, name: string) =>
    message.fields.length === 0
      ? `${name} \`${message.name}\`: no fields.`
      : `${name} \`${message.name}\`:\n\n${fieldRows(message)}`;
  return [
    `## ${method.name}`,
    wordsOf(method),
    facts.filter(Boolean).join(" "),
    given(method.input, "Takes"),
    given(method.output, method.methodKind === "server_streaming" ? "Answers a stream of" : "Answers"),
  ].join("\n\n");
}

function messagePart(message: DescMessage, level: string): string {
  const fields = message.fields.length > 0 ? fieldRows(message) : "No fields.";
  return [`${level} ${message.name}`, wordsOf(message), fields].filter(Boolean).join("\n\n");
}

function enumPart(one: DescEnum, level: string): string {
  const rows = one.values.map((value) => `| \`${value.name}\` | ${value.number} | ${cell(wordsOf(value))} |`);
  return `${level} ${one.name}\n\n${wordsOf(one)}\n\n| value | number | meaning |\n| --- | --- | --- |\n${rows.join("\n")}`;
}

function fieldRows(message: DescMessage): string {
  const rows = message.fields.map((field) => {
    const oneOf = field.oneof ? ` One of \`${field.oneof.name}\`.` : "";
    const rules = ruleWords(rulesOf(field));
    const words = `${cell(wordsOf(field))}${oneOf}${rules ? ` _${rules}_` : ""}`;
    return `| \`${field.jsonName}\` | ${cell(typeWords(field, message))} | ${words} |`;
  });
  return `| field | type | meaning |\n| --- | --- | --- |\n${rows.join("\n")}`;
}

function typeWords(field: DescField, at: DescMessage): string {
  const link = (one: DescMessage | DescEnum) => {
    if (!one.typeName.startsWith("usageflow.")) return one.name;
    const page = isOfService(one) && one.file === at.file ? "" : "types.md";
    return `[${one.name}](${page}#${one.name.toLowerCase()})`;
  };
  const one = field.message ?? field.enum;
  const single = one ? link(one) : ScalarType[field.scalar ?? ScalarType.STRING].toLowerCase();
  if (field.fieldKind === "list") return `list of ${single}`;
  return field.fieldKind === "map" ? `map of text to ${single}` : single;
}

/** Rules in the words of the standard: `max_len 64`. A rule with an expression says it in a sentence of its own. */
function ruleWords(rules: JsonObject): string {
  const words = (name: string, rule: JsonValue): string[] => {
    if (name === "ignore") return []; // told in words
    if (name === "cel") return (rule as JsonObject[]).map((one) => `${one.message ?? one.expression}`);
    if (typeof rule === "object" && rule !== null && !Array.isArray(rule)) {
      return Object.entries(rule).flatMap(([inner, value]) =>
        ["items", "keys", "values"].includes(name)
          ? words(inner, value).map((one) => `${name}: ${one}`)
          : words(inner, value),
      );
    }
    const plain = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (rule === true) return [plain];
    return [`${plain} ${name === "pattern" ? `\`${rule}\`` : Array.isArray(rule) ? rule.join(", ") : `${rule}`}`];
  };
  const all = Object.entries(rules).flatMap(([name, rule]) => words(name, rule));
  return all.length > 0 ? cell(`${all.join("; ")}.`) : "";
}

/** Text within a table. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll(/\s*\n\s*/g, " ");
}
