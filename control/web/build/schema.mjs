// Writes the API's types for TypeScript from its document: what the panel takes for granted cannot differ from what the
// control plane says.
import { readFile, writeFile } from "node:fs/promises";

const SOURCE = new URL("../../../docs/openapi.json", import.meta.url);
const TARGET = new URL("../src/lib/api/schema.d.ts", import.meta.url);
const BASIC = { string: "string", integer: "number", number: "number", boolean: "boolean", null: "null" };

function type(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choice = schema.oneOf ?? schema.anyOf;
  if (choice) return choice.map(type).join(" | ");
  if (schema.allOf) return schema.allOf.map(type).join(" & ");
  const kinds = [schema.type ?? []].flat();
  return kinds.map((kind) => (kind === "array" ? `(${type(schema.items)})[]` : (BASIC[kind] ?? object(schema)))).join(" | ") || "unknown";
}

function object(schema) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(
    ([name, field]) => `${JSON.stringify(name)}${required.has(name) ? "" : "?"}: ${type(field)}`,
  );
  const rest = schema.additionalProperties;
  if (rest && typeof rest === "object") return `Record<string, ${type(rest)}>`;
  return fields.length ? `{ ${fields.join("; ")} }` : "Record<string, unknown>";
}

const { components } = JSON.parse(await readFile(SOURCE, "utf8"));
const lines = Object.entries(components.schemas).map(([name, schema]) => `export type ${name} = ${type(schema)};`);
await writeFile(TARGET, `// Made from docs/openapi.json by build/schema.mjs.\n${lines.join("\n")}\n`);
