import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { Box } from "../process/box.ts";
import { until } from "../timing/pause.ts";
import { freePort } from "../http/ports.ts";
import { start } from "../../../scripts/program.ts";

/** What an {@linkcode Upstream} tells of a request that reached it. */
export interface Reached {
  readonly method: string;
  readonly path: string;
  /** Every header, its name in lower case. */
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** The application behind a proxy: it answers every request with what it got. */
export class Upstream implements AsyncDisposable {
  readonly reached: Reached[] = [];
  /** Ports of the connections that came. */
  readonly ports = new Set<number>();
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request, { remoteAddr }) => {
      this.ports.add(remoteAddr.port);
      if (request.headers.get("upgrade") === "websocket") return this.#upgrade(request);
      const { pathname: path, search } = new URL(request.url);
      const headers = Object.fromEntries(request.headers);
      const body = await request.text();
      const reached = { method: request.method, path: path + search, headers, body };
      this.reached.push(reached);
      return Response.json(reached);
    },
  );

  get address(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  // What comes is sent back.
  #upgrade(request: Request): Response {
    const { pathname: path, search } = new URL(request.url);
    const headers = Object.fromEntries(request.headers);
    this.reached.push({ method: request.method, path: path + search, headers, body: "" });
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => {
      socket.send(data);
      socket.close();
    };
    return response;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A request that is sent as it is written, byte for byte. */
export interface Asking {
  readonly method?: string;
  readonly host?: string;
  /** A name may stand in it twice. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
}

/** Sends a request over a connection of its own. */
export async function ask(
  to: Deno.ConnectOptions | Deno.UnixConnectOptions,
  path: string,
  { method = "GET", host = "app.example.com", headers = [], body = "" }: Asking = {},
): Promise<Answer> {
  const length: [string, string][] = body === ""
    ? []
    : [["Content-Length", String(new TextEncoder().encode(body).length)]];
  const lines = [["Host", host], ...headers, ...length, ["Connection", "close"]];
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const request = new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`);
  // Not by its streams: the runtime now and then cancels a read of theirs.
  using connection = await Deno.connect(to as Deno.ConnectOptions);
  const [bytes] = await Promise.all([readAll(connection), writeAll(connection, request)]);
  return parse(bytes.toString("latin1"));
}

async function readAll(connection: Deno.Conn): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(65_536);
  for (let length; (length = await connection.read(buffer)) !== null;) {
    parts.push(buffer.slice(0, length));
  }
  return Buffer.concat(parts);
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
}

function parse(text: string): Answer {
  const end = text.indexOf("\r\n\r\n");
  const [first, ...lines] = text.slice(0, end).split("\r\n");
  const pairs = lines.map((line) => /^([^:]+):\s*(.*)$/.exec(line)!.slice(1) as [string, string]);
  const headers = new Headers(pairs);
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first!)?.[1]);
  const sent = text.slice(end + 4);
  const body = headers.get("transfer-encoding") === "chunked" ? unchunked(sent) : sent;
  return { status, headers, body: Buffer.from(body, "latin1").toString() };
}

function unchunked(text: string): string {
  let body = "";
  for (let at = 0;;) {
    const start = text.indexOf("\r\n", at) + 2;
    const length = parseInt(text.slice(at, start), 16);
    if (Number.isNaN(length)) throw new Error("a chunk is cut off");
    if (length === 0) return body;
    body += text.slice(start, start + length);
    at = start + length + 2;
  }
}

/** A real proxy on a free port. */
export class Proxy implements AsyncDisposable {
  #stderr = "";
  readonly #reading: Promise<void>;
  readonly #ended: Promise<Deno.CommandStatus>;

  private constructor(readonly port: number, private readonly process: Deno.ChildProcess) {
    this.#ended = process.status;
    this.#reading = this.#read();
  }

  /** nginx with what stands in its `http` block. @param http told the port to listen on. @param as its workers' user. */
  static async nginx(box: Box, http: (port: number) => string, as = "root"): Promise<Proxy> {
    const port = freePort();
    // A worker of another user could enter neither the box nor rekey's socket.
    const user = Deno.uid() === 0 ? `user ${as};` : "";
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${join(box.home, `nginx-${name}`)};`);
    const config = [
      ...[user, "daemon off;", "worker_processes 2;", `pid ${join(box.home, "nginx.pid")};`],
      ...["error_log stderr notice;", "events {}", "http {", "access_log off;", ...temporary],
      ...[http(port), "}"],
    ];
    const file = join(box.home, "nginx.conf");
    await Deno.writeTextFile(file, config.join("\n"));
    return await Proxy.#start(box, port, "nginx", ["-p", box.home, "-e", "stderr", "-c", file]);
  }

  /** Caddy with the sites of a Caddyfile, and more global options. @param sites told the port to listen on. */
  static async caddy(box: Box, sites: (port: number) => string, global = ""): Promise<Proxy> {
    const port = freePort();
    const options = `{\n\tadmin off\n\tauto_https off\n${global}}\n`;
    const file = join(box.home, "Caddyfile");
    await Deno.writeTextFile(file, options + sites(port));
    return await Proxy.#start(box, port, "caddy", ["run", "--config", file]);
  }

  static async #start(box: Box, port: number, program: string, args: string[]): Promise<Proxy> {
    const process = start(program, args, {
      cwd: box.home,
      clearEnv: true,
      env: { PATH: "/usr/sbin:/usr/bin:/bin", HOME: box.home },
      stderr: "piped",
    });
    const proxy = new Proxy(port, process);
    try {
      await proxy.#listens();
      return proxy;
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw new Error(`${program}: ${proxy.#stderr}`, { cause: error });
    }
  }

  /** Of its main process. */
  get id(): number {
    return this.process.pid;
  }

  /** Sends it a request. */
  ask(path: string, asking?: Asking): Promise<Answer> {
    return ask({ hostname: "127.0.0.1", port: this.port }, path, asking);
  }

  /** What it wrote, for messages. */
  get stderr(): string {
    return this.#stderr;
  }

  async #listens(): Promise<void> {
    let ended = false;
    this.#ended.then(() => ended = true);
    const listens = async () => {
      (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
      return true;
    };
    const otherwise = () => ended ? "it has ended" : "it does not listen";
    await until(listens, { every: 5, hopeless: () => ended, otherwise });
  }

  async #read(): Promise<void> {
    const texts = this.process.stderr.pipeThrough(new TextDecoderStream());
    for await (const text of texts) this.#stderr += text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGTERM");
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
    await this.#ended;
    await this.#reading;
  }
}

/** The configurations that `docs/proxies.md` gives for a proxy, in their order. */
export function documented(language: "nginx" | "caddyfile"): string[] {
  const page = Deno.readTextFileSync(new URL("../../../docs/proxies.md", import.meta.url));
  const blocks = page.matchAll(/^```(\w+)\n(.*?)^```$/gms);
  return [...blocks].filter(([, of]) => of === language).map(([, , text]) => text!);
}

/** Puts this machine's addresses into a documented configuration. @throws when one is not in it. */
export function adapted(text: string, changes: Record<string, string>): string {
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`the page has no ${from} in\n${text}`);
    text = text.replaceAll(from, to);
  }
  return text;
}
