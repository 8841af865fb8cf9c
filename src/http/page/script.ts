import ask from "./ask.js" with { type: "text" };
import charts from "./charts.js" with { type: "text" };
import dom from "./dom.js" with { type: "text" };
import page from "./page.js" with { type: "text" };
import status from "./status.js" with { type: "text" };
import text from "./text.js" with { type: "text" };
import verify from "./verify.js" with { type: "text" };

// Each module after those that it imports.
const MODULES = [text, dom, ask, charts, status, verify, page];

/**
 * The page's script: its modules in one file, which a browser loads in one request. Top-level names must be unique among
 * the modules, and imports must not rename.
 */
export const script = MODULES.map(unlinked).join("\n");

function unlinked(module: string): string {
  return module.replaceAll(/^import [^;]*;\n/gm, "").replaceAll(/^export /gm, "");
}
