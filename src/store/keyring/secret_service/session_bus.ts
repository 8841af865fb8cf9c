import { lstatSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import process from "node:process";
import { isRekeyError, RekeyError } from "../../../core/errors.ts";
import { refuseUnsafePath } from "../../../files/private_files.ts";
import { socketPeer } from "../../../system/linux/unix_sockets.ts";

/** The environment variables by which the addon finds the session bus. */
export interface BusPlaces {
  /** `DBUS_SESSION_BUS_ADDRESS`: addresses separated by `;`. */
  readonly address: string | undefined;
  /** `XDG_RUNTIME_DIR`: without an address, the bus is `bus` in it, and the library checks its owner. */
  readonly runtimeFolder: string | undefined;
}

/**
 * Path of the socket of this user's session bus. `undefined` when only the addon's library may be able to connect: it
 * knows more kinds of addresses, such as abstract sockets.
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
  /** Name of an abstract socket, with one character for each byte. */
  readonly abstract?: string | undefined;
}

/** The addresses of a variable. */
export function addressesIn(address: string | undefined): string[] {
  return (address ?? "").split(";").filter((text) => text !== "");
}

/** The socket of an address. @throws {RekeyError} `keyring_failed` when it is the address of something else. */
export function socketOf(address: string): Socket {
  const [transport, rest = ""] = address.split(/:(.*)/s);
  if (transport !== "unix") {
    throw unsafe("DBUS_SESSION_BUS_ADDRESS is not the address of a Unix socket");
  }
  const pairs = rest.split(",").map((pair) => pair.split(/=(.*)/s) as [string, string | undefined])
    .filter(([key]) => key === "path" || key === "abstract");
  // The library may take either of them.
  if (pairs.length > 1) throw unsafe("DBUS_SESSION_BUS_ADDRESS names two sockets at once");
  const { path, abstract } = Object.fromEntries(pairs) as Partial<Socket>;
  return { path: path && decodedPath(path), abstract: abstract && unescaped(abstract) };
}

/** @throws {RekeyError} `keyring_failed` when the socket is another user's. */
export function refuseUnsafeSocket({ path, abstract }: Socket): void {
  const owner = path !== undefined
    ? socketOwner(path)
    : abstract !== undefined
    ? socketPeer(`\0${abstract}`)
    : undefined;
  // If nothing listens, the addon reports it.
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

// An address escapes bytes as %XX, and the runtime's paths are UTF-8. The checked path must be the one that is opened.
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

/** The error for a session bus that is not this user's. */
export function unsafe(why: string): RekeyError {
  return new RekeyError("keyring_failed", `Cannot use the keyring: ${why}`, {
    hint: "Run the command in a session of this user, or use --store database",
  });
}
