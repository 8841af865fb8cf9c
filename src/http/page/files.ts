import ask from "./ask.js" with { type: "text" };
import audit from "./audit.js" with { type: "text" };
import charts from "./charts.js" with { type: "text" };
import dom from "./dom.js" with { type: "text" };
import history from "./history.js" with { type: "text" };
import below from "./below.html" with { type: "text" };
import html from "./index.html" with { type: "text" };
import base from "./base.css" with { type: "text" };
import now from "./now.css" with { type: "text" };
import tables from "./tables.css" with { type: "text" };
import windows from "./windows.css" with { type: "text" };
import main from "./page.js" with { type: "text" };
import overview from "./overview.js" with { type: "text" };
import text from "./text.js" with { type: "text" };
import theme from "./theme.js" with { type: "text" };
import verify from "./verify.js" with { type: "text" };
import library from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import libraryStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import license from "uplot/LICENSE" with { type: "text" };

// Each module after those that it imports. Top-level names must be unique among them, and imports must not rename.
const MODULES = [text, dom, ask, theme, charts, history, overview, audit, verify, main];

/** Our modules as one file, which a browser loads in one request. */
const script = MODULES
  .map((module) => module.replaceAll(/^import [^;]*;\n/gm, "").replaceAll(/^export /gm, ""))
  .join("\n");

/** The files of the status page. They are a script of their own in the binary, which few servers ever load. */
export const files = {
  html: html.replace("<!-- below.html -->", () => below),
  style: [base, now, tables, windows].join("\n"),
  script,
  library: `/*!\n${license}*/\n${library}`,
  libraryStyle,
};
