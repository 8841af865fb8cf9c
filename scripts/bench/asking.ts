import { join } from "node:path";
import { Serving } from "../../tests/support/http/serving.ts";
import { Box } from "../../tests/support/process/box.ts";
import { adapted, documented, Proxy } from "../../tests/support/proxy/proxies.ts";
import { inPlaceOf, keepingAnswers } from "../../tests/support/proxy/proxy_kinds.ts";
import type { BenchKey } from "./known_secret.ts";

/** What stands for the application: the guard is what is measured, so that what is behind it costs as little as can be. */
export const FILE = "try_files /file =404;";

/** The application in nginx's configurations. */
export const TO_APP = "proxy_pass http://app;";

/** A proxy in front of a small file. */
export interface Asking extends AsyncDisposable {
  readonly port: number;
  readonly id: number;
}

/** nginx as docs/proxies.md has it. @param rekey a host and port, or the paths of sockets. @param keeps answers. */
export async function nginxThatAsks(
  rekey: string | readonly string[],
  keeps = false,
): Promise<Asking> {
  const box = new Box();
  await Deno.writeTextFile(join(box.home, "file"), "hello\n");
  await Deno.chmod(box.home, 0o711);
  const [server, socket, sockets] = documented("nginx") as [string, string, string];
  const over = (paths: readonly string[]) =>
    adapted(paths.length === 1 ? socket : sockets, inPlaceOf(paths));
  const text = typeof rekey === "string"
    ? adapted(server, { "127.0.0.1:8700": rekey })
    : server.replace(/^upstream rekey \{.*?^\}\n/ms, over(rekey));
  const proxy = await Proxy.nginx(box, (port) => {
    const asking = adapted(text, {
      "listen 80;": `listen 127.0.0.1:${port};`,
      [TO_APP]: `root ${box.home}; ${FILE}`,
    });
    return keeps ? keepingAnswers(asking, box) : asking;
  });
  return disposing(proxy, box);
}

/** Caddy as docs/proxies.md has it, with a small file; unguarded when rekey is not named. */
export async function caddyThatAsks(rekey?: string): Promise<Asking> {
  const box = new Box();
  await Deno.writeTextFile(join(box.home, "file"), "hello\n");
  const file = `root * ${box.home}\n\t\t\trewrite * /file\n\t\t\tfile_server`;
  const proxy = await Proxy.caddy(box, (port) => {
    const site = `http://127.0.0.1:${port} {`;
    if (rekey === undefined) return `${site}\n\troute {\n\t\t\t${file}\n\t}\n}\n`;
    return adapted(documented("caddyfile")[0]!, {
      "app.example.com {": site,
      "127.0.0.1:8700": rekey,
      "reverse_proxy 127.0.0.1:3000": file,
    });
  });
  return disposing(proxy, box);
}

/** `rekey serve` on Unix sockets, with a request thread for each. */
export class SocketServer implements AsyncDisposable {
  private constructor(
    private readonly box: Box,
    private readonly serving: Serving,
    readonly paths: readonly string[],
  ) {}

  static async start(secret: BenchKey, count = 1): Promise<SocketServer> {
    const box = new Box();
    await secret.importInto(box);
    const paths = Array.from({ length: count }, (_, n) => join(box.home, `${n}.sock`));
    const args = ["--no-access-log", ...paths.flatMap((path) => ["--unix", path])];
    return new SocketServer(box, await Serving.start(box, args), paths);
  }

  get id(): number {
    return this.serving.process.pid;
  }

  /** Rotates again and again while something goes on; tokens of all versions stay valid. */
  async rotatingDuring<T>(task: () => Promise<T>): Promise<T> {
    let ended = false;
    const rotating = (async () => {
      while (!ended) {
        const { code, stderr } = await this.box.run(["rotate", "--force", "--grace", "1h"]);
        if (code !== 0) throw new Error(stderr);
      }
    })();
    try {
      return await task();
    } finally {
      ended = true;
      await rotating;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.serving[Symbol.asyncDispose]();
    this.box[Symbol.dispose]();
  }
}

function disposing(proxy: Proxy, box: Box): Asking {
  const dispose = async () => {
    await proxy[Symbol.asyncDispose]();
    box[Symbol.dispose]();
  };
  return { port: proxy.port, id: proxy.id, [Symbol.asyncDispose]: dispose };
}
