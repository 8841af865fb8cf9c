const PARTS = /"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g;

/** The names that an object of a JSON text has more than once: `JSON.parse` takes the last one, and others the first. */
export function repeatedNames(json: string): Set<string> {
  const repeated = new Set<string>();
  const open: Set<string>[] = [];
  for (const part of json.match(PARTS) ?? []) {
    if (part === "{" || part === "[") open.push(new Set());
    else if (part === "}" || part === "]") open.pop();
    else if (part.endsWith(":")) {
      const name: string = JSON.parse(part.slice(0, part.lastIndexOf('"') + 1));
      if (open.at(-1)?.has(name)) repeated.add(name);
      open.at(-1)?.add(name);
    }
  }
  return repeated;
}
