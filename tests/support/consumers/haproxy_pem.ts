import { join } from "node:path";
import type { Box } from "../process/box.ts";
import { adapted } from "../proxy/proxies.ts";
import { freePort } from "../http/ports.ts";
import { Daemon } from "./daemon.ts";
import { GuardDaemon } from "./guard_daemon.ts";
import { documentedConfiguration } from "./page.ts";
import type { Place } from "./place.ts";

/** HAProxy with its master, as docs/presets/haproxy-pem.md configures it, in a box. */
export class HaproxyPemGuard extends GuardDaemon {
  /** Starts it; the delivered folder must be there. */
  static async start(box: Box, { keys, app, port = freePort() }: Place) {
    const [main, pid] = HaproxyPemGuard.#files(box);
    const documented = adapted(documentedConfiguration("haproxy-pem", "haproxy"), {
      "/run/rekey/haproxy/": `${keys}/`,
      "bind 127.0.0.1:80": `bind 127.0.0.1:${port}`,
      "127.0.0.1:3000": app,
    });
    await Deno.writeTextFile(main, documented);
    const args = ["-W", "-f", main, "-f", join(keys, "keys.cfg"), "-p", pid];
    return new HaproxyPemGuard(await Daemon.start(box, { program: "haproxy", args, port }));
  }

  static #files(box: Box): [main: string, pid: string] {
    return [join(box.home, "haproxy.cfg"), join(box.home, "haproxy.pid")];
  }

  /** The command that reloads it, for a shell; it has no systemd here. */
  static reload(box: Box): string {
    const [main, pid] = HaproxyPemGuard.#files(box);
    const check = `haproxy -c -q -f '${main}' -f "$REKEY_PATH/keys.cfg"`;
    return `PATH=$PATH:/usr/sbin; ${check} && kill -USR2 $(cat '${pid}')`;
  }
}
