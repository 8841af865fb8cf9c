import { delay } from "../core/async.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { RequestHandler } from "../http/app.ts";
import { removeFile } from "../files/private_files.ts";
import type { Address, Settings } from "./settings.ts";
import { refuseOpenFolder, shareSocket, type SocketAddress } from "./sockets.ts";
import { SYSTEM } from "../system/system.ts";
import { fileIdentity } from "../files/file_info.ts";

/** Who is told how listening goes. */
export interface ListenerTold {
  /** Nobody had listened any more. */
  listensAgain(): void;
  /** Nobody does, and it cannot. */
  cannotListen(why: string): void;
}

// How often it looks whether it still listens.
const LOOK_MS = 500;

// How long the port of a server that was shut down may be taken, and how often that is tried.
const LET_GO_MS = 5_000;
const BETWEEN_MS = 5;

const MOST_SERVERS = 4;

type HttpServer = Deno.HttpServer<Deno.Addr>;

/** Listens, and goes on listening until it is stopped. */
export class Listener {
  // One, and those that listen no more but still have connections.
  readonly #servers = new Set<HttpServer>();
  #stopping = false;
  // Whether one takes the place of another.
  #changing = false;
  // Which file its Unix socket is.
  #socket: string | undefined;
  #tls: Settings["tls"];

  constructor(
    private readonly settings: Settings,
    private readonly handler: RequestHandler,
    private readonly told: ListenerTold,
  ) {
    this.#tls = settings.tls;
  }

  /**
   * Begins to listen.
   *
   * @throws {RekeyError} `usage` or `failed` when it cannot.
   */
  start(): void {
    const { address } = this.settings;
    this.#goOn(this.#listen(address).addr);
  }

  /** Takes no more connections and waits until all requests are answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#servers].map((server) => server.shutdown()));
    this.#removeSocket();
  }

  /** Listens anew, for what may no longer do so. Connections that are open stay. */
  listenAgain(): void {
    if (this.#stopping) return;
    this.#listen(this.settings.address);
    this.#limit();
  }

  /**
   * Listens again with another certificate, for new connections; those that are open stay. On Linux it is up to the
   * caller to end the listening before (`stopListening`), which the runtime can only do together with connections.
   *
   * @throws {RekeyError} when it cannot listen there any more.
   */
  async renew(tls: Settings["tls"]): Promise<void> {
    if (this.#stopping) return;
    this.#tls = tls;
    if (SYSTEM.serving.sharesPorts) this.#listen(this.settings.address);
    else await this.#listenInstead();
    this.#limit();
  }

  // The runtime lets go of the port some time after it was told to, and no one else may listen meanwhile.
  async #listenInstead(): Promise<void> {
    this.#changing = true;
    try {
      this.#servers.forEach((old) => old.shutdown().catch(() => {}));
      for (const end = performance.now() + LET_GO_MS; !this.#stopping;) {
        try {
          return void this.#listen(this.settings.address);
        } catch (error) {
          if (performance.now() > end) throw error;
          await delay(BETWEEN_MS);
        }
      }
    } finally {
      this.#changing = false;
    }
  }

  #limit(): void {
    // Some may still listen, and there is no end of times.
    const [oldest] = this.#servers;
    if (this.#servers.size > MOST_SERVERS) oldest?.shutdown().catch(() => {});
  }

  // The runtime's server no longer listens once it could not accept a connection, as when there are no more files.
  // It says so only when the last connection that it has is gone, which may be never. The port is one with the other
  // threads', so only the loss of all can be seen; then each of them listens again.
  async #goOn(at: Deno.Addr): Promise<void> {
    let told = false;
    for (;;) {
      await delay(LOOK_MS);
      const listens = !this.#stopping && this.#servers.size > 0 && await somebodyListens(at);
      if (this.#stopping) return;
      if (listens || this.#changing) continue;
      try {
        this.#listen(this.settings.address);
        this.told.listensAgain();
        told = false;
      } catch (error) {
        // It may be possible in a moment.
        if (!told) this.told.cannotListen(isRekeyError(error) ? error.message : String(error));
        told = true;
      }
    }
  }

  #listen(address: Address): HttpServer {
    const server = this.#serve(address);
    this.#servers.add(server);
    server.finished.catch(() => {}).finally(() => this.#servers.delete(server));
    return server;
  }

  #serve(address: Address): HttpServer {
    const answer = this.handler;
    // The runtime would print where it listens; that is said once, for all threads.
    const onListen = () => {};
    try {
      if (address.kind === "unix") return this.#serveOnSocket(address, answer, onListen);
      const { hostname, port } = address;
      const tls = this.#tls;
      // A renewed certificate is served on the same port before the old one no longer is.
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
      // From 0700, which the program's umask leaves of it.
      shareSocket(address);
    } catch (error) {
      server.shutdown().catch(() => {});
      this.#removeSocket();
      throw error;
    }
    return server;
  }

  // Only its own: another server may have taken the place.
  #removeSocket(): void {
    const { address } = this.settings;
    if (address.kind !== "unix" || this.#socket === undefined) return;
    const mine = fileIdentity(address.path) === this.#socket;
    this.#socket = undefined;
    if (mine) removeFile(address.path);
  }
}

// What cannot be found out is taken for yes.
async function somebodyListens(at: Deno.Addr): Promise<boolean> {
  try {
    (await Deno.connect(at as Deno.ConnectOptions)).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    // Deno takes a Unix socket's file away when it no longer listens.
    return !(error instanceof Deno.errors.NotFound);
  }
}

/** An address that is taken until it is disposed of. */
export interface Reserved extends Disposable {
  /** With the port that was found, if any would do. */
  readonly address: Address;
}

/**
 * Takes an address until the threads take it, so that no other server begins there meanwhile. Threads share a port
 * with each other, so each of them would also share it with another program of this user that allows it.
 *
 * @throws {RekeyError} when another program listens there.
 */
export async function reserve(address: Address): Promise<Reserved> {
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
    if (!Deno.lstatSync(path).isSocket) throw inUse(path, "there is a file that is no socket");
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof Deno.errors.ConnectionRefused) return Deno.removeSync(path);
    throw explain(error, address);
  }
  throw inUse(path, "another program listens there");
}

function explain(error: unknown, address: Address): unknown {
  const at = address.kind === "unix" ? address.path : `${address.hostname}:${address.port}`;
  if (error instanceof Deno.errors.AddrInUse) return inUse(at, "another program listens there");
  if (error instanceof Deno.errors.PermissionDenied) {
    return cannot(at, "that is not permitted", "Choose a port above 1023, or a folder of your own");
  }
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.AddrNotAvailable) {
    return cannot(at, "there is no such place", "Name an address of this machine or a folder");
  }
  if (error instanceof Deno.errors.InvalidData) {
    return cannot(at, "the certificate or its key is unusable", "Both have to be PEM");
  }
  if (address.kind === "unix" && /SUN_LEN/.test(String(error))) {
    return cannot(at, "the path is too long for a socket", "Name one of at most 107 bytes");
  }
  // The runtime has many words for a name that no one knows.
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
