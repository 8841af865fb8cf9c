import ask from "./ask.js" with { type: "text" };
import chart from "./chart.js" with { type: "text" };
import dom from "./dom.js" with { type: "text" };
import page from "./page.js" with { type: "text" };
import rates from "./rates.js" with { type: "text" };
import rotations from "./rotations.js" with { type: "text" };
import status from "./status.js" with { type: "text" };
import text from "./text.js" with { type: "text" };
import verify from "./verify.js" with { type: "text" };

// Each after those that it imports.
const MODULES = [text, dom, ask, chart, rotations, rates, status, verify, page];

/**
 * The page's script: its modules in one file, which a browser fetches at once. No two of them may have the same name
 * for something, and none may import under another name.
 */
export const script = MODULES.map(unlinked).join("\n");

function unlinked(module: string): string {
  return module.replaceAll(/^import [^;]*;\n/gm, "").replaceAll(/^export /gm, "");
}
