import { join } from "node:path";
import type { Box } from "../process/box.ts";
import { adapted } from "../proxy/proxies.ts";
import { freePort } from "../http/ports.ts";
import { Daemon } from "./daemon.ts";
import { GuardDaemon } from "./guard_daemon.ts";
import { documentedConfiguration } from "./page.ts";
import type { Place } from "./place.ts";

/** HAProxy as docs/presets/haproxy.md configures it, in a box. */
export class HaproxyGuard extends GuardDaemon {
  private constructor(
    daemon: Daemon,
    readonly socket: string,
    readonly map: string,
    /** Where the application is reached without a guard. */
    readonly openPort: number,
  ) {
    super(daemon);
  }

  /**
   * Starts it; the map's file must be there.
   *
   * @param changes more changes of the documented configuration.
   */
  static async start(
    box: Box,
    { keys: map, app, port = freePort() }: Place,
    changes: Record<string, string> = {},
  ) {
    const [socket, file] = [HaproxyGuard.socketIn(box), join(box.home, "haproxy.cfg")];
    const openPort = freePort();
    const documented = adapted(documentedConfiguration("haproxy", "haproxy"), {
      "/run/haproxy/admin.sock": socket,
      "map_str(/run/rekey/haproxy.map)": `map_str("${map}")`,
      "bind 127.0.0.1:80": `bind 127.0.0.1:${port}`,
      "127.0.0.1:3000": app,
      ...changes,
    });
    const open = `\nfrontend open\n    bind 127.0.0.1:${openPort}\n    default_backend app\n`;
    await Deno.writeTextFile(file, documented + open);
    const args = ["-db", "-f", file];
    const daemon = await Daemon.start(box, { program: "haproxy", args, port });
    return new HaproxyGuard(daemon, socket, map, openPort);
  }

  /** Path of the stats socket of a box's HAProxy. */
  static socketIn(box: Box): string {
    return join(box.home, "haproxy.sock");
  }

  /** What the stats socket answers. */
  async say(command: string): Promise<string> {
    using connection = await Deno.connect({ transport: "unix", path: this.socket });
    await connection.write(new TextEncoder().encode(`${command}\n`));
    const buffer = new Uint8Array(65_536);
    const decoder = new TextDecoder();
    let text = "";
    for (let count; (count = await connection.read(buffer)) !== null;) {
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    return text;
  }

  /** The map in its memory, as a map's file has it. */
  async memory(): Promise<string> {
    const text = await this.say(`show map ${this.map.replaceAll(" ", "\\ ")}`);
    return text.trim().split("\n").map((line) => `${line.replace(/^\S+ /, "")}\n`).join("");
  }
}
