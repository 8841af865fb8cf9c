import { join } from "node:path";
import { codeOf } from "../../../files/files.ts";
import { infoOf } from "../../../system/files.ts";
import { SYSTEM } from "../../../system/system.ts";
import { keyringError } from "../errors.ts";
import {
  addressesIn,
  type BusPlaces,
  refuseUnsafeSocket,
  socketOf,
  unsafe,
} from "./session_bus.ts";

/**
 * Checks that a session bus may exist, and that its address is a socket of this user. The addon's D-Bus library follows
 * any address: it starts programs (`unixexec:`), connects to other machines (`tcp:`), and does not authenticate the
 * socket, so a program of another user that listens there would get the secret. Terminals may keep the address of an
 * ended session, with a socket in /tmp.
 *
 * @throws {RekeyError} `keyring_absent` when there is no bus, without loading the addon; `keyring_failed` when the bus
 * belongs to another user, or may: the keyring was not asked, and may hold a secret.
 */
export function refuseUnsafeBus({ address, runtimeFolder }: BusPlaces): void {
  if (!SYSTEM.hasSecretService) return;
  const addresses = addressesIn(address);
  addresses.forEach((text) => refuseUnsafeSocket(socketOf(text)));
  if (addresses.length > 0) return;
  if (runtimeFolder === undefined || !mayHaveBus(runtimeFolder)) {
    throw keyringError(new Error("Failed to connect: there is no session bus"));
  }
}

// `su` and `sudo` may keep the variable of the user before, whose folder is closed to all others.
function mayHaveBus(runtimeFolder: string): boolean {
  try {
    return infoOf(join(runtimeFolder, "bus")) !== undefined;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    throw unsafe("XDG_RUNTIME_DIR names a folder that this user cannot look into");
  }
}
