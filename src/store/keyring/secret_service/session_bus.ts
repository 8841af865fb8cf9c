// Before what it imports, which imports it.
import { lstatSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import process from "node:process";
import { isRekeyError, RekeyError } from "../../../core/errors.ts";
import { SYSTEM } from "../../../system/system.ts";
import { keyringError } from "../errors.ts";
import { refuseUnsafePath } from "../../../files/path_ownership.ts";
import { socketPeer } from "../../../system/linux/unix_sockets.ts";
import { infoOf } from "../../../system/files.ts";

/** How the addon finds the session bus, by the environment. */
export interface BusPlaces {
  /** `DBUS_SESSION_BUS_ADDRESS`: one address or more, separated by `;`. */
  readonly address: string | undefined;
  /** `XDG_RUNTIME_DIR`: without an address the bus is `bus` in it, and the library looks itself whose it is. */
  readonly runtimeFolder: string | undefined;
}

/**
 * Makes sure that there may be a session bus, and that its address leads to a socket of this user's. The addon's D-Bus
 * library does whatever an address says: it starts programs (`unixexec:`), talks to other machines (`tcp:`), and
 * authenticates itself to a socket, but not the socket to itself: a program of another user that listens in its
 * place would be handed the secret. Addresses of sessions that have ended, with sockets in /tmp, live on in terminals.
 *
 * @throws {RekeyError} `keyring_absent` when there is none, so that the addon need not be loaded to find out;
 * `keyring_failed` when it is not this user's: the keyring was not asked, and may hold a secret.
 */
export function refuseUnsafeBus({ address, runtimeFolder }: BusPlaces): void {
  if (!SYSTEM.hasSecretService) return;
  const addresses = addressesIn(address);
  addresses.forEach((text) => refuseUnsafeSocket(socketOf(text)));
  if (addresses.length > 0) return;
  const own = runtimeFolder === undefined ? undefined : infoOf(join(runtimeFolder, "bus"));
  if (own === undefined) {
    throw keyringError(new Error("Failed to connect: there is no session bus"));
  }
}

/**
 * The socket of this user's session bus, when it is one that may be spoken to. `undefined` when that takes the addon's
 * library: it knows more ways (abstract names, which the runtime does not), and its findings are the ones that count.
 */
export function ownBus({ address, runtimeFolder }: BusPlaces): string | undefined {
  const [first, ...others] = addressesIn(address);
  if (others.length > 0 || (first ?? runtimeFolder) === undefined) return undefined;
  try {
    const { path } = first === undefined ? { path: join(runtimeFolder!, "bus") } : socketOf(first);
    if (path === undefined || !isAbsolute(path)) return undefined;
    refuseUnsafeSocket({ path });
    return path;
  } catch (error) {
    if (isRekeyError(error, "keyring_failed")) return undefined;
    throw error;
  }
}

interface Socket {
  readonly path: string | undefined;
  /** A name without a file; it may be any bytes, a character for each. */
  readonly abstract?: string | undefined;
}

function addressesIn(address: string | undefined): string[] {
  return (address ?? "").split(";").filter((text) => text !== "");
}

function socketOf(address: string): Socket {
  const [transport, rest = ""] = address.split(/:(.*)/s);
  if (transport !== "unix") {
    throw unsafe("DBUS_SESSION_BUS_ADDRESS is no address of a Unix socket");
  }
  const pairs = rest.split(",").map((pair) => pair.split(/=(.*)/s) as [string, string | undefined])
    .filter(([key]) => key === "path" || key === "abstract");
  // Which of them the library would take is not looked at.
  if (pairs.length > 1) throw unsafe("DBUS_SESSION_BUS_ADDRESS names two sockets at once");
  const { path, abstract } = Object.fromEntries(pairs) as Partial<Socket>;
  return { path: path && decodedPath(path), abstract: abstract && unescaped(abstract) };
}

function refuseUnsafeSocket({ path, abstract }: Socket): void {
  const owner = path !== undefined
    ? socketOwner(path)
    : abstract !== undefined
    ? socketPeer(`\0${abstract}`)
    : undefined;
  // Nobody listens: the addon will say so.
  if (owner === undefined || owner === process.geteuid!() || owner === lstatSync("/").uid) return;
  throw unsafe("the session bus belongs to another user");
}

function socketOwner(path: string): number | undefined {
  try {
    refuseUnsafePath(path);
    return statSync(path, { throwIfNoEntry: false })?.uid;
  } catch (error) {
    const why = isRekeyError(error) ? error.message : "its address leads nowhere";
    throw unsafe(`the session bus cannot be trusted: ${why}`);
  }
}

// The bytes that an address writes as %XX are the path's in UTF-8; another path must not be looked at than is opened.
function decodedPath(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) throw unsafe("DBUS_SESSION_BUS_ADDRESS names no path");
    throw error;
  }
}

function unescaped(value: string): string {
  return value.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

function unsafe(why: string): RekeyError {
  return new RekeyError("keyring_failed", `Cannot use the keyring: ${why}`, {
    hint: "Run the command in a session of this user, or use --store database",
  });
}
