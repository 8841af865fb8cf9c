import preset from "./nginx.json" with { type: "json" };
import script from "./nginx.js" with { type: "text" };

/** The preset, with the script that nginx needs. */
export default { ...preset, files: { "rekey.js": script } };
