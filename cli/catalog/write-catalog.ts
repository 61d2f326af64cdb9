import type { DescField } from "@bufbuild/protobuf";
import { isReflectMessage, type ReflectList, type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { Document, isScalar, isSeq, visit } from "yaml";
import { type Catalog, CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";

const LINE_WIDTH = 100;

/**
 * A catalog as the YAML file that a person would write: pushed again, it changes nothing. Its plans say their versions, so
 * that a push of an old file loses nothing unseen.
 */
export function writeCatalog(catalog: Catalog): string {
  const doc = new Document(plain(reflect(CatalogSchema, catalog)));
  visit(doc, {
    // What holds single values only, or lists of them, stands on one line: metrics, tiers, flat prices, values.
    Map(_, node) {
      if (node !== doc.contents && node.items.every(({ value }) => isScalar(value) || isPlainList(value)))
        node.flow = true;
    },
    Seq(_, node) {
      if (isPlainList(node)) node.flow = true;
    },
  });
  return doc.toString({ lineWidth: LINE_WIDTH });
}

function isPlainList(node: unknown): boolean {
  return isSeq(node) && node.items.every(isScalar);
}

/**
 * A message as the file writes it: what is empty left out, single values before what has parts, enumerations without
 * their prefix.
 */
function plain(message: ReflectMessage): Record<string, unknown> {
  const set = message.fields.filter((field) => message.isSet(field));
  const isWhole = ({ desc }: ReflectMessage) => desc.typeName === CatalogSchema.typeName;
  const fields = isWhole(message) ? set : [...set.filter(isValue), ...set.filter((field) => !isValue(field))];
  return Object.fromEntries(
    fields.map((field) => {
      const value: unknown = message.get(field);
      const written =
        field.fieldKind === "list"
          ? Array.from(value as ReflectList, (item) => plainValue(field, item))
          : plainValue(field, value);
      return [field.jsonName, written];
    }),
  );
}

function plainValue(field: DescField, value: unknown): unknown {
  if (isReflectMessage(value)) return plain(value);
  if (field.enum) return field.enum.value[value as number]?.localName ?? value;
  return value;
}

function isValue({ fieldKind }: DescField): boolean {
  return fieldKind === "scalar" || fieldKind === "enum";
}
