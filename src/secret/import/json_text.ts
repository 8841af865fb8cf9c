// Comments and trailing commas of settings files, and the strings in which they must stay. What has no end is matched as
// far as it goes: it would be tried again from each character that could begin it.
const STRING_OR_COMMENT = /"(?:[^"\\]|\\.)*"?|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|($))/g;
const STRING_OR_COMMA = /"(?:[^"\\]|\\.)*"?|,(?=\s*[}\]])/g;

/** A JSON text without comments, trailing commas and byte order mark. */
export function bareJson(text: string): string {
  return text.replace(/^\uFEFF/, "").trim()
    .replace(STRING_OR_COMMENT, (part, endless) => {
      return part.startsWith('"') || endless !== undefined ? part : " ";
    })
    .replace(STRING_OR_COMMA, (part) => part.startsWith('"') ? part : "");
}

/** The object or list that a text is as JSON, of settings files too; `undefined` for any other text. */
export function jsonOf(text: string): object | undefined {
  if (!/^\s*[{[/]/.test(text.replace(/^\uFEFF/, ""))) return undefined;
  try {
    const value: unknown = JSON.parse(bareJson(text));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    // The message of a syntax error would quote the value.
    return undefined;
  }
}
