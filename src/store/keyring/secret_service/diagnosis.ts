import { type ErrorCode, RekeyError } from "../../../core/errors.ts";
import { type BusConnection, overBus } from "./dbus_connection.ts";
import { BusError } from "./dbus_wire.ts";
import { findProvider, remedyFor } from "./provider.ts";
import { type BusPlaces, ownBus } from "../session_bus.ts";

/**
 * Says of a failure what the program that provides the keyring has to do with it. One that is known to be silent is not
 * asked anything.
 */
export type Diagnosis = (error: RekeyError, isSilent?: boolean) => Promise<RekeyError>;

// A request of the server's may be waiting, and a provider may be silent; the bus is not.
const LIMIT_MS = 100;

// What a provider does that has nowhere to put a value: an error, or a dialog that asks where.
const UNMADE: readonly ErrorCode[] = ["keyring_failed", "keyring_timeout"];

const SERVICE = "org.freedesktop.Secret.Service";

/**
 * The diagnosis of the Secret Service on the session bus: whose it is, and whether it has a default collection. It is
 * asked for when something has failed only.
 *
 * @param places are asked for when they are needed.
 */
export function serviceDiagnosis(places: () => BusPlaces): Diagnosis {
  return async (error, isSilent = false) => {
    const socket = ownBus(places());
    if (socket === undefined) return error;
    let named = error;
    try {
      await overBus(socket, LIMIT_MS, async (bus) => {
        const provider = await findProvider(bus);
        if (provider === undefined) return;
        // It may never answer what comes next.
        named = withRemedy(error, remedyFor(error.code, provider.kind)?.hint);
        if (isSilent || !UNMADE.includes(error.code) || await hasDefault(bus, provider.name)) {
          return;
        }
        const { hint } = remedyFor("keyring_no_default", provider.kind)!;
        named = withRemedy(noDefault(error), hint);
        // What is in another collection than the default one may be a secret of rekey's.
        if (await hasCollections(bus, provider.name)) named = withRemedy(error, hint);
      });
    } catch (fault) {
      if (!(fault instanceof BusError)) throw fault;
    }
    return named;
  };
}

async function hasDefault(bus: BusConnection, provider: string): Promise<boolean> {
  const asking = bus.enqueue({
    destination: provider,
    path: "/org/freedesktop/secrets",
    interface: SERVICE,
    member: "ReadAlias",
    signature: "s",
    body: (to) => void to.string("default"),
  });
  await bus.flush();
  return (await bus.answer(asking, "o")).objectPath() !== "/";
}

async function hasCollections(bus: BusConnection, provider: string): Promise<boolean> {
  const asking = bus.enqueue({
    destination: provider,
    path: "/org/freedesktop/secrets",
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    signature: "ss",
    body: (to) => void to.string(SERVICE).string("Collections"),
  });
  await bus.flush();
  const answer = await bus.answer(asking, "v");
  if (answer.signature() !== "ao") throw new BusError("Collections have another type");
  // gnome-keyring always has one for the session, which ends with it.
  return answer.objectPaths().some((path) => !path.endsWith("/session"));
}

function noDefault(cause: RekeyError): RekeyError {
  const what = "Cannot use the keyring: it has no default wallet or collection";
  return new RekeyError("keyring_no_default", what, { cause: cause.cause });
}

function withRemedy(error: RekeyError, hint: string | undefined): RekeyError {
  if (hint === undefined) return error;
  return new RekeyError(error.code, error.message, { hint, cause: error.cause });
}
