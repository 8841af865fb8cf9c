/** A preset's page in docs/presets. */
export function page(name: string): string {
  return Deno.readTextFileSync(new URL(`../../../docs/presets/${name}.md`, import.meta.url));
}

/** A configuration that a preset's page shows. @throws when there is none. */
export function documentedConfiguration(name: string, language: string): string {
  const blocks = [...page(name).matchAll(/^```(\w+)\n(.*?)^```$/gms)];
  const found = blocks.find(([, of]) => of === language);
  if (found === undefined) throw new Error(`docs/presets/${name}.md has no ${language}`);
  return found[2]!;
}
