import { extname, join } from "node:path";
import type { Box } from "../process/box.ts";
import { adapted } from "../proxy/proxies.ts";
import { freePort } from "../http/ports.ts";
import { Daemon } from "./daemon.ts";
import { GuardDaemon } from "./guard_daemon.ts";
import { documentedConfiguration } from "./page.ts";
import type { Place } from "./place.ts";

/** In which language nginx verifies: the preset of that name has the script, and its page the configuration. */
export type NginxPreset = "nginx" | "nginx-lua";

const SCRIPTS: Record<NginxPreset, { file: string; modules: readonly string[] }> = {
  "nginx": { file: "nginx.js", modules: ["ngx_http_js_module"] },
  "nginx-lua": { file: "nginx.lua", modules: ["ndk_http_module", "ngx_http_lua_module"] },
};

/** Where nginx is, and what differs from its page. */
export interface NginxOptions extends Place {
  /** njs unless it is given. */
  readonly preset?: NginxPreset;
  /** More changes of the documented configuration. */
  readonly changes?: Record<string, string>;
}

/** nginx with a script as its page in docs/presets configures it, in a box; its workers are another user's. */
export class NginxGuard extends GuardDaemon {
  private constructor(daemon: Daemon, readonly file: string) {
    super(daemon);
  }

  static async start(box: Box, options: NginxOptions) {
    const { keys, app, port = freePort(), preset = "nginx", changes } = options;
    const { file: name, modules } = SCRIPTS[preset];
    const script = new URL(`../../../src/deliver/presets/${name}`, import.meta.url).pathname;
    const server = adapted(documentedConfiguration(preset, "nginx"), {
      [`/etc/nginx/rekey${extname(name)}`]: script,
      "listen 80;": `listen 127.0.0.1:${port};`,
      "/run/rekey/nginx.json": keys,
      "server 127.0.0.1:3000;": `server ${app};`,
      ...changes,
    });
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${join(box.home, `nginx-${name}`)};`);
    const config = [
      ...modules.map((module) => `load_module /usr/lib/nginx/modules/${module}.so;`),
      ...Deno.uid() === 0 ? ["user www-data;"] : [],
      ...["daemon off;", "worker_processes 2;", `pid ${join(box.home, "nginx.pid")};`],
      ...["error_log stderr notice;", "events {}", "http {", "access_log off;"],
      ...[...temporary, server, "}"],
    ];
    const file = join(box.home, "nginx.conf");
    await Deno.writeTextFile(file, config.join("\n"));
    // For the workers.
    if (Deno.uid() === 0) await Deno.chmod(box.home, 0o711);
    const args = ["-p", box.home, "-e", "stderr", "-c", file];
    return new NginxGuard(await Daemon.start(box, { program: "nginx", args, port }), file);
  }
}
