import preset from "./nginx.json" with { type: "json" };
import script from "./nginx.lua" with { type: "text" };

/** As for njs, but for the script. */
export default {
  ...preset,
  name: "nginx-lua",
  summary: "the same as nginx by its Lua module, which takes half the processor time of njs",
  program: "nginx with ngx_http_lua (tried with nginx 1.22 and ngx_http_lua 0.10.23)",
  docs: "presets/nginx-lua.md",
  files: { "rekey.lua": script },
};
