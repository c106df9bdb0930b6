import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this package: the nearest one above this file with a package.json, in source and in dist. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** The version in package.json. */
export function packageVersion(): string {
  const content: unknown = JSON.parse(readFileSync(join(packageFolder(), "package.json"), "utf8"));
  const isNamed = typeof content === "object" && content !== null && "version" in content;
  return isNamed ? String(content.version) : "unknown";
}

/** The JSON Schema of fleet templates, for editors. */
export function schemaFile(): string {
  return join(packageFolder(), "schemas", "fleet.v1.json");
}

/** The annotated template that `init` starts from. */
export function startingTemplateFile(): string {
  return join(packageFolder(), "examples", "fleets", "web.yaml");
}

/** The image folder of that template. */
export function startingImageFolder(): string {
  return join(packageFolder(), "examples", "images", "web");
}
