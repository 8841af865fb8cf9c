import { join } from "node:path";
import type { Box } from "../process/box.ts";
import { adapted } from "../proxy/proxies.ts";
import { freePort } from "../http/ports.ts";
import { Daemon } from "./daemon.ts";
import { GuardDaemon } from "./guard_daemon.ts";
import { documentedConfiguration } from "./page.ts";
import type { Place } from "./place.ts";

const MODULES = [
  ...["mpm_event", "authn_core", "authz_core", "authz_user", "rewrite"],
  ...["proxy", "proxy_http", "auth_openidc"],
];

/** Apache with mod_auth_openidc as docs/presets/apache.md configures it, in a box. */
export class ApacheGuard extends GuardDaemon {
  private constructor(daemon: Daemon, readonly file: string, readonly log: string) {
    super(daemon);
  }

  /** Starts it; the file of keys, or the delivered folder, must be there. @param more lines for the end of its configuration. */
  static async start(
    box: Box,
    { keys, app, port = freePort() }: Place,
    more: readonly string[] = [],
  ) {
    const [file, log] = [join(box.home, "apache.conf"), join(box.home, "apache.log")];
    const site = adapted(documentedConfiguration("apache", "apache"), {
      "/run/rekey/apache/keys.conf": Deno.statSync(keys).isDirectory
        ? join(keys, "keys.conf")
        : keys,
      "http://127.0.0.1:3000": `http://${app}`,
    });
    const config = [
      ...[`ServerRoot ${box.home}`, "ServerName app.example.com", `Listen 127.0.0.1:${port}`],
      ...[`PidFile ${join(box.home, "apache.pid")}`, `DefaultRuntimeDir ${box.home}`],
      ...[`ErrorLog ${log}`, `Mutex file:${box.home} default`],
      ...Deno.uid() === 0 ? ["User www-data", "Group www-data"] : [],
      ...MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
      ...[site, ...more],
    ];
    await Deno.writeTextFile(file, config.join("\n"));
    const args = ["-D", "FOREGROUND", "-f", file];
    const daemon = await Daemon.start(box, { program: "apache2", args, port });
    return new ApacheGuard(daemon, file, log);
  }

  /** The command that reloads it, for a shell; it has no systemd here. */
  static reload(box: Box): string {
    const [file, pid] = [join(box.home, "apache.conf"), join(box.home, "apache.pid")];
    return `PATH=$PATH:/usr/sbin apache2 -t -f '${file}' && kill -USR1 $(cat '${pid}')`;
  }

  /** All that it has logged. */
  override logged(): string {
    return super.logged() + Deno.readTextFileSync(this.log);
  }
}
