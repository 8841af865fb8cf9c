import { delay } from "../core/async.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { RequestHandler } from "../http/app.ts";
import { fileIdentity, removeFile } from "../files/files.ts";
import type { Address, Settings } from "./settings.ts";
import { refuseOpenFolder, shareSocket, type SocketAddress } from "./unix_socket.ts";
import { SYSTEM } from "../system/system.ts";

/** Receives the events of a {@linkcode Listener}. */
interface ListenerEvents {
  /** No thread was listening on the port that they share; this one is again. */
  listensAgain(): void;
  /** Prints a warning. */
  warn(why: string): void;
}

/** How often to check that the address still accepts connections. */
const CHECK_MS = 500;

// How long the port of a closed server may stay in use, and how often to try again.
const PORT_RELEASE_MS = 5_000;
const RETRY_MS = 5;

// How long the runtime may take to close a Unix socket; if it takes longer, the next check finds the new one deleted.
const CLOSE_MS = 50;

const MAX_SERVERS = 4;

type HttpServer = Deno.HttpServer<Deno.Addr>;

/** Listens on an address until it is stopped, and again if the runtime stops by itself. */
export class Listener {
  // The one that listens, and older ones that only have connections.
  readonly #servers = new Set<HttpServer>();
  #stopping = false;
  // Whether a server is being replaced, and how often one was: a check that began before says nothing about the new one.
  #replacing = false;
  #replacements = 0;
  // Identity of the file of its Unix socket.
  #socket: string | undefined;
  #tls: Settings["tls"];

  constructor(
    private readonly settings: Settings,
    private readonly address: Address,
    private readonly handler: RequestHandler,
    private readonly events: ListenerEvents,
  ) {
    this.#tls = settings.tls;
  }

  /**
   * Starts to listen.
   *
   * @throws {RekeyError} `usage` or `failed` when it cannot.
   */
  start(): void {
    this.#keepListening(this.#listen().addr);
  }

  /** Accepts no more connections, and waits until all requests are answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#servers].map((server) => server.shutdown()));
    this.#removeSocket();
  }

  /** Adds a server that listens on a shared port, in case the present one has stopped. Open connections stay. */
  listenAgain(): void {
    if (this.#stopping) return;
    this.#listen();
    this.#limit();
  }

  /**
   * Uses another certificate for new connections; open ones stay. On Linux the old socket keeps listening until the
   * caller ends that (`stopListening`): the runtime can close it only together with its connections.
   *
   * @throws {RekeyError} when it cannot listen.
   */
  async renew(tls: Settings["tls"]): Promise<void> {
    if (this.#stopping) return;
    this.#tls = tls;
    if (SYSTEM.serving.sharesPorts) this.#listen();
    else await this.#replaceServer();
    this.#limit();
  }

  // Where a port cannot be shared, the runtime releases it some time after a server is shut down.
  async #replaceServer(): Promise<void> {
    this.#replacing = true;
    this.#replacements++;
    try {
      this.#servers.forEach((old) => old.shutdown().catch(() => {}));
      for (const end = performance.now() + PORT_RELEASE_MS; !this.#stopping;) {
        try {
          return void this.#listen();
        } catch (error) {
          if (performance.now() > end) throw error;
          await delay(RETRY_MS);
        }
      }
    } finally {
      this.#replacing = false;
    }
  }

  // Older servers may still listen, so their number is limited.
  #limit(): void {
    const [oldest] = this.#servers;
    if (this.#servers.size > MAX_SERVERS) oldest?.shutdown().catch(() => {});
  }

  // The runtime's server stops listening when it cannot accept a connection, for example for lack of file descriptors.
  // Its `finished` promise resolves only after its last connection, if ever. Where all threads share the port, one can
  // only see that none of them listens; then each listens again. A Unix socket is its thread's own.
  async #keepListening(at: Deno.Addr): Promise<void> {
    let isReported = false;
    for (;;) {
      await delay(CHECK_MS);
      const replacements = this.#replacements;
      const listens = !this.#stopping && this.#servers.size > 0 && await isListening(at);
      if (this.#stopping) return;
      if (listens || this.#replacing || replacements !== this.#replacements) continue;
      try {
        await this.#listenWhereNoneDoes();
        isReported = false;
      } catch (error) {
        // The next try may succeed.
        if (!isReported) {
          this.events.warn(isRekeyError(error) ? error.message : String(error));
        }
        isReported = true;
      }
    }
  }

  async #listenWhereNoneDoes(): Promise<void> {
    const { address } = this;
    if (address.kind === "tcp") {
      this.listenAgain();
      return this.events.listensAgain();
    }
    await removeStale(address);
    // The runtime deletes whatever is at the path when it closes an old one, so that comes first.
    this.#servers.forEach((old) => old.shutdown().catch(() => {}));
    await delay(CLOSE_MS);
    if (!this.#stopping) this.#listen();
  }

  #listen(): HttpServer {
    const server = this.#serve();
    this.#servers.add(server);
    server.finished.catch(() => {}).finally(() => this.#servers.delete(server));
    return server;
  }

  #serve(): HttpServer {
    const { address, handler: answer } = this;
    // Without it, the runtime prints the address; the main thread does that once for all threads.
    const onListen = () => {};
    try {
      if (address.kind === "unix") return this.#serveOnSocket(address, answer, onListen);
      const { hostname, port } = address;
      const tls = this.#tls;
      // A server with a renewed certificate listens on the same port before the old one stops.
      const reusePort = this.settings.workers > 1 || tls !== undefined;
      const options = { hostname, port, reusePort, onListen };
      return Deno.serve(tls === undefined ? options : { ...options, ...tls }, answer);
    } catch (error) {
      throw explain(error, address);
    }
  }

  #serveOnSocket(
    address: SocketAddress,
    answer: RequestHandler,
    onListen: () => void,
  ): HttpServer {
    const { path } = address;
    this.#removeSocket();
    const server = Deno.serve({ path, onListen }, answer) as HttpServer;
    this.#socket = fileIdentity(path);
    try {
      // Its mode is 0700 until now, because of the umask.
      shareSocket(address);
    } catch (error) {
      server.shutdown().catch(() => {});
      this.#removeSocket();
      throw error;
    }
    return server;
  }

  // Another server may have put its own socket there.
  #removeSocket(): void {
    const { address } = this;
    if (address.kind !== "unix" || this.#socket === undefined) return;
    const isOurs = fileIdentity(address.path) === this.#socket;
    this.#socket = undefined;
    if (isOurs) removeFile(address.path);
  }
}

// If the check itself fails, the address counts as listening.
async function isListening(at: Deno.Addr): Promise<boolean> {
  try {
    (await Deno.connect(at as Deno.ConnectOptions)).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    // Deno removes the file of a Unix socket when it stops listening.
    return !(error instanceof Deno.errors.NotFound);
  }
}

/** An address that no other program can use until this is disposed of. */
interface Reservation extends Disposable {
  /** With the actual port, if port 0 was requested. */
  readonly address: Address;
}

/**
 * Reserves an address until the threads listen on it. Threads share the port (`SO_REUSEPORT`), so they would also share
 * it with another program of this user; an exclusive socket detects that program.
 *
 * @throws {RekeyError} when another program listens on it.
 */
export async function reserve(address: Address): Promise<Reservation> {
  if (address.kind === "unix") {
    refuseOpenFolder(address);
    await removeStale(address);
    return { address, [Symbol.dispose]: () => {} };
  }
  try {
    const listener = Deno.listen({ hostname: address.hostname, port: address.port });
    const { port } = listener.addr;
    return { address: { ...address, port }, [Symbol.dispose]: () => listener.close() };
  } catch (error) {
    throw explain(error, address);
  }
}

async function removeStale(address: SocketAddress): Promise<void> {
  const { path } = address;
  try {
    if (!Deno.lstatSync(path).isSocket) throw inUse(path, "a file that is not a socket is there");
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof Deno.errors.ConnectionRefused) return Deno.removeSync(path);
    throw explain(error, address);
  }
  throw inUse(path, "another program listens there");
}

const { NotFound, NotADirectory, FilesystemLoop, AddrNotAvailable } = Deno.errors;
const NOT_THERE = [NotFound, NotADirectory, FilesystemLoop, AddrNotAvailable];

// No file has a name of more than 255 bytes: it may be a secret, given in place of its file.
const named = (path: string) => path.length > 255 ? "that path" : path;

function explain(error: unknown, address: Address): unknown {
  const at = address.kind === "unix" ? address.path : `${address.hostname}:${address.port}`;
  if (error instanceof Deno.errors.AddrInUse) return inUse(at, "another program listens there");
  if (error instanceof Deno.errors.PermissionDenied) {
    return cannot(at, "permission denied", "Choose a port above 1023, or a folder of your own");
  }
  if (NOT_THERE.some((kind) => error instanceof kind)) {
    return cannot(
      at,
      "there is no such address or folder",
      "Name an address of this machine, or a folder that exists",
    );
  }
  if (error instanceof Deno.errors.InvalidData) {
    return cannot(at, "the certificate or its key is unusable", "Both must be PEM");
  }
  if (address.kind === "unix" && /SUN_LEN|name too long/.test(String(error))) {
    return cannot(named(at), "the path is too long for a socket", "Name one of at most 107 bytes");
  }
  // The runtime's errors for unknown host names differ between systems.
  const [why] = String(error).split("\n");
  return isRekeyError(error)
    ? error
    : cannot(at, why!, "Choose another one with --listen or --unix");
}

function inUse(at: string, why: string): RekeyError {
  return cannot(at, why, "Choose another one with --listen or --unix");
}

function cannot(at: string, why: string, hint: string): RekeyError {
  return new RekeyError("failed", `Cannot listen on ${at}: ${why}`, { hint });
}
