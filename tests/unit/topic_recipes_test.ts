import assert from "node:assert/strict";
import { documented } from "../support/proxy/proxies.ts";

const TOPIC = Deno.readTextFileSync(new URL("../../src/cli/topics/proxies.txt", import.meta.url));

/** The indented lines under a heading of the page. */
function recipe(heading: string): string {
  const lines = TOPIC.split(`\n${heading}\n`)[1]!.split("\n");
  return lines.slice(0, lines.findIndex((line) => !line.startsWith("  "))).join("\n");
}

/** Lines without comments, indentation and empty ones. */
function bare(text: string): string[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => !/^(#|$)/.test(line));
}

// Those are tried with real proxies.
for (const [heading, language] of [["NGINX", "nginx"], ["CADDY", "caddyfile"]] as const) {
  Deno.test(`rekey help proxies has docs/proxies.md's configuration of ${language}, without its comments`, () => {
    assert.deepEqual(bare(recipe(heading)), bare(documented(language)[0]!));
  });
}
