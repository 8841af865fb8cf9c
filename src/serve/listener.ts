import { isRekeyError, RekeyError } from "../core/errors.ts";
import { fileIdentity } from "../store/private_files.ts";
import type { Address, Settings } from "./settings.ts";

/** Answers one request; the address is the peer's. */
export type Handler = (request: Request, address: string | undefined) => Promise<Response>;

// After the process has run out of files, how long until it listens again.
const PAUSE_MS = 100;

/** Listens, and goes on listening until it is stopped. */
export class Listener {
  #server: Deno.HttpServer<Deno.Addr> | undefined;
  #stopping = false;

  constructor(private readonly settings: Settings, private readonly handler: Handler) {}

  /**
   * Begins to listen.
   *
   * @returns the port; 0 for a Unix socket.
   * @throws {RekeyError} `usage` or `failed` when it cannot.
   */
  start(): number {
    const server = this.#server = this.#listen(this.settings.address);
    this.#goOn(server);
    return portOf(server);
  }

  /** Takes no more connections and waits until all requests are answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#server?.shutdown();
  }

  // The runtime's server ends when a connection cannot be accepted, as when there are no more files.
  async #goOn(server: Deno.HttpServer<Deno.Addr>): Promise<void> {
    const { address } = this.settings;
    const again = address.kind === "tcp" ? { ...address, port: portOf(server) } : address;
    while (!this.#stopping) {
      await this.#server?.finished.catch(() => {});
      if (this.#stopping) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      try {
        this.#server = this.#listen(again);
      } catch (error) {
        if (!isRekeyError(error)) throw error;
      }
    }
  }

  #listen(address: Address): Deno.HttpServer<Deno.Addr> {
    const answer = (request: Request, { remoteAddr }: { remoteAddr: Deno.Addr }) =>
      this.handler(request, "hostname" in remoteAddr ? remoteAddr.hostname : undefined);
    // The runtime would print where it listens; that is said once, for all threads.
    const onListen = () => {};
    try {
      if (address.kind === "unix") return listenOnSocket(address.path, answer, onListen);
      const { hostname, port } = address;
      const { tls, workers } = this.settings;
      const options = { hostname, port, reusePort: workers > 1, onListen };
      return Deno.serve(tls === undefined ? options : { ...options, ...tls }, answer);
    } catch (error) {
      throw explain(error, address);
    }
  }
}

function portOf({ addr }: Deno.HttpServer<Deno.Addr>): number {
  return "port" in addr ? addr.port : 0;
}

/**
 * Whether the address is free. Threads share a port with each other, so each of them would also share it with
 * another program of this user that allows it.
 *
 * @throws {RekeyError} when it is not.
 */
export async function mustBeFree(address: Address): Promise<void> {
  if (address.kind === "unix") return await removeStale(address.path);
  try {
    Deno.listen({ hostname: address.hostname, port: address.port }).close();
  } catch (error) {
    throw explain(error, address);
  }
}

function listenOnSocket(
  path: string,
  handler: Deno.ServeHandler<Deno.Addr>,
  onListen: () => void,
): Deno.HttpServer<Deno.Addr> {
  // This one's own, after it had to begin again.
  if (fileIdentity(path) !== undefined) Deno.removeSync(path);
  const server = Deno.serve({ path, onListen }, handler) as Deno.HttpServer<Deno.Addr>;
  // From 0700, which the program's umask leaves of it.
  Deno.chmodSync(path, 0o600);
  return server;
}

async function removeStale(path: string): Promise<void> {
  try {
    if (!Deno.lstatSync(path).isSocket) throw inUse(path, "there is a file that is no socket");
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof Deno.errors.ConnectionRefused) return Deno.removeSync(path);
    throw explain(error, { kind: "unix", path });
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
  return error;
}

function inUse(at: string, why: string): RekeyError {
  return cannot(at, why, "Choose another one with --listen or --unix");
}

function cannot(at: string, why: string, hint: string): RekeyError {
  return new RekeyError("failed", `Cannot listen on ${at}: ${why}`, { hint });
}
