import { Ajv } from "ajv";
import { createRequire } from "node:module";
import { join } from "node:path";

/** A schema of CycloneDX's own, from its package. */
export function schema(name: string) {
  const path = "@cyclonedx/cyclonedx-library/package.json";
  const found = createRequire(import.meta.resolve(path)).resolve(path);
  return JSON.parse(
    Deno.readTextFileSync(join(found, `../res/schema/${name}.SNAPSHOT.schema.json`)),
  );
}

/** Looks whether an object is a CycloneDX 1.6 document. */
export function validator() {
  const formats = {
    "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
    "iri-reference": (text: string) => URL.canParse(text, "http://example.org"),
    "idn-email": /@/,
  };
  const ajv = new Ajv({ strict: false, formats });
  for (const name of ["spdx", "jsf-0.82", "cryptography-defs"]) {
    // Under the names that the package has given them.
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  }
  return ajv.compile(schema("bom-1.6"));
}
