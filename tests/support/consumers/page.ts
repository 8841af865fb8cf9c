/** A configuration that a preset's page in docs/presets shows. @throws when there is none. */
export function documentedConfiguration(page: string, language: string): string {
  const text = Deno.readTextFileSync(
    new URL(`../../../docs/presets/${page}.md`, import.meta.url),
  );
  const found = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].find(([, of]) => of === language);
  if (found === undefined) throw new Error(`docs/presets/${page}.md has no ${language}`);
  return found[2]!;
}
