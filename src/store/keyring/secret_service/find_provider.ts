import { type BusConnection, DBUS, GET_ID } from "./dbus_connection.ts";
import { BusError, type Reader } from "./dbus_wire.ts";
import { NAMES, type Provider, type ProviderKind } from "./provider.ts";
import { SECRETS, strings } from "./service_calls.ts";

/**
 * Finds the provider of the Secret Service. Asks only the bus, and starts no provider.
 *
 * @returns `undefined` when there is none, or the bus does not tell.
 * @throws {BusError} when the bus does not answer.
 */
export async function findProvider(bus: BusConnection): Promise<Provider | undefined> {
  const owning = enqueueAbout(bus, SECRETS);
  const counting = enqueueAbout(bus, SECRETS, "GetConnectionUnixProcessID");
  const identifying = bus.enqueue(GET_ID);
  const others = Object.entries(NAMES)
    .map(([kind, name]) => ({ kind, asking: enqueueAbout(bus, name) }));
  await bus.flush();
  const name = (await unlessRefused(bus.answer(owning, "s")))?.string();
  const pid = (await unlessRefused(bus.answer(counting, "u")))?.uint32();
  const id = (await bus.answer(identifying, "s")).string();
  if (name === undefined || pid === undefined) return undefined;
  let found: ProviderKind = "other";
  for (const { kind, asking } of others) {
    const owner = (await unlessRefused(bus.answer(asking, "s")))?.string();
    if (owner === name) found = kind as ProviderKind;
  }
  return { kind: found, pid, name, incarnation: `${id}/${name}` };
}

function enqueueAbout(bus: BusConnection, name: string, member = "GetNameOwner"): number {
  return bus.enqueue({ ...DBUS, member, ...strings(name) });
}

// The bus refuses to answer for a name without an owner.
async function unlessRefused(answer: Promise<Reader>): Promise<Reader | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof BusError && error.isRefusal) return undefined;
    throw error;
  }
}
