import { printable } from "./describe.ts";

// An error page can be of any size.
const [MOST_BYTES, MOST_CHARACTERS] = [4_096, 200];

// Shorter parts of an address are words, and no token is.
const SHORTEST_TOKEN = 6;

/**
 * The beginning of a refusal's body, for a message: one line, without control characters and markup, and without the
 * parts of the address, which can be a secret itself; `""` when there is nothing to show.
 */
export async function refusalBody(response: Response, url: URL): Promise<string> {
  const text = await beginning(response, url);
  const plain = text.replace(/<(style|script)\b.*?<\/\1>|<[^>]*>/gis, " ");
  const line = withoutAddress(plain, url).replace(/\s+/g, " ").trim();
  const shown = [...printable(line)];
  return shown.length <= MOST_CHARACTERS
    ? shown.join("")
    : `${shown.slice(0, MOST_CHARACTERS).join("")}…`;
}

async function beginning({ body }: Response, { href }: URL): Promise<string> {
  if (body === null) return "";
  const reader = body.getReader();
  const bytes: number[] = [];
  try {
    while (bytes.length < MOST_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes.push(...value.subarray(0, MOST_BYTES - bytes.length));
    }
  } finally {
    // One that has not ended is not waited for.
    reader.cancel().catch(() => {});
  }
  const text = new TextDecoder().decode(Uint8Array.from(bytes));
  // Where it is cut off there could be a part of the address that is not known as one.
  return bytes.length < MOST_BYTES ? text : text.slice(0, -href.length);
}

/** The text with every part of the address that could be a token replaced. */
function withoutAddress(text: string, url: URL): string {
  const parts = [
    url.href,
    url.pathname + url.search,
    url.pathname,
    ...url.pathname.split("/"),
    ...url.search.slice(1).split(/[&=]/),
    url.hash.slice(1),
  ];
  const all = parts.flatMap((part) => [part, decoded(part)])
    .filter((part) => part.length >= SHORTEST_TOKEN);
  return [...new Set(all)].sort((a, b) => b.length - a.length)
    .reduce((rest, part) => rest.replaceAll(part, "[address]"), text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
