import { lstatSync, statSync } from "node:fs";
import process from "node:process";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { socketPeer } from "../core/unix_socket.ts";
import { refuseUnsafeWay } from "./safe_way.ts";

/**
 * Makes sure that a D-Bus address leads to a socket of this user's. The addon's D-Bus library does whatever an
 * address says: it starts programs (`unixexec:`), talks to other machines (`tcp:`), and authenticates itself to a
 * socket, but not the socket to itself: a program of another user that listens in its place would be handed
 * the secret. Addresses of sessions that have ended, with sockets in /tmp, live on in terminals.
 *
 * @param address of `DBUS_SESSION_BUS_ADDRESS`: one or more, separated by `;`. Without one the library takes
 * `$XDG_RUNTIME_DIR/bus`, and looks itself whose it is.
 * @throws {RekeyError} `keyring_failed`: the keyring was not asked, and may hold a secret.
 */
export function refuseUnsafeBus(address: string | undefined): void {
  if (process.geteuid === undefined || Deno.build.os === "darwin") return;
  for (const one of (address ?? "").split(";").filter((text) => text !== "")) refuseUnsafe(one);
}

function refuseUnsafe(address: string): void {
  const [transport, rest = ""] = address.split(/:(.*)/s);
  if (transport !== "unix") {
    throw unsafe("DBUS_SESSION_BUS_ADDRESS is no address of a Unix socket");
  }
  const keys = new Map(
    rest.split(",").map((pair) => pair.split(/=(.*)/s) as [string, string | undefined]),
  );
  const [path, abstract] = [keys.get("path"), keys.get("abstract")].map(unescaped);
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
    refuseUnsafeWay(path);
    return statSync(path, { throwIfNoEntry: false })?.uid;
  } catch (error) {
    const why = isRekeyError(error) ? error.message : "its address leads nowhere";
    throw unsafe(`the session bus cannot be trusted: ${why}`);
  }
}

// As the D-Bus specification writes bytes in addresses.
function unescaped(value: string | undefined): string | undefined {
  return value?.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

function unsafe(why: string): RekeyError {
  return new RekeyError("keyring_failed", `Cannot use the keyring: ${why}`, {
    hint: "Run the command in a session of this user, or use --store database",
  });
}
