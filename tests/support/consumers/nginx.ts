import { join } from "node:path";
import type { Box } from "../process/box.ts";
import { adapted } from "../proxy/proxies.ts";
import { freePort } from "../http/ports.ts";
import { Daemon } from "./daemon.ts";
import { documentedConfiguration } from "./page.ts";
import type { Place } from "./place.ts";

const SCRIPT = new URL("../../../src/deliver/presets/nginx.js", import.meta.url);
const MODULE = "/usr/lib/nginx/modules/ngx_http_js_module.so";

/** Where nginx is, and what differs from its page. */
export interface NginxOptions extends Place {
  /** Path of the script. */
  readonly script?: string;
  /** More changes of the documented configuration. */
  readonly changes?: Record<string, string>;
}

/** nginx with the script for njs as docs/presets/nginx.md configures it, in a box; its workers are another user's. */
export class NginxGuard implements AsyncDisposable {
  private constructor(readonly daemon: Daemon, readonly file: string) {}

  static async start(box: Box, options: NginxOptions) {
    const { keys, app, port = freePort(), script = SCRIPT.pathname, changes } = options;
    const server = adapted(documentedConfiguration("nginx", "nginx"), {
      "/etc/nginx/rekey.js": script,
      "listen 80;": `listen 127.0.0.1:${port};`,
      "/run/rekey/nginx.json": keys,
      "http://127.0.0.1:3000": `http://${app}`,
      ...changes,
    });
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${join(box.home, `nginx-${name}`)};`);
    const config = [
      `load_module ${MODULE};`,
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

  get port(): number {
    return this.daemon.port;
  }

  restart(): Promise<void> {
    return this.daemon.restart();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.daemon.stop();
  }
}
