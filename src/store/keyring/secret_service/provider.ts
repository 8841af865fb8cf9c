import { type BusConnection, DBUS, GET_ID } from "./dbus_connection.ts";
import { BusError, type Reader } from "./dbus_wire.ts";
import { SECRETS, strings } from "./service_calls.ts";

// A bus name that each provider owns beside the Secret Service's. The runtime does not let a program read /proc.
const NAMES = {
  "gnome-keyring": "org.gnome.keyring",
  kwalletd5: "org.kde.kwalletd5",
  kwalletd6: "org.kde.kwalletd6",
  ksecretd: "org.kde.ksecretd",
  keepassxc: "org.keepassxc.KeePassXC.MainWindow",
} as const;

/** Programs that provide the Secret Service and need different treatment. */
export type ProviderKind = keyof typeof NAMES | "other";

/** The program that provides the Secret Service on a session bus. */
export interface Provider {
  readonly kind: ProviderKind;
  readonly pid: number;
  /** Its unique bus name, such as `:1.7`. The bus never gives it to another connection. */
  readonly name: string;
  /** Identifies this process among all providers, on this bus and others. */
  readonly incarnation: string;
}

const KDE: readonly ProviderKind[] = ["kwalletd5", "kwalletd6", "ksecretd"];

/** Whether two providers may have the same items: KDE's read each other's wallets. */
export function shareItems(one: ProviderKind, other: ProviderKind): boolean {
  return one === other || (KDE.includes(one) && KDE.includes(other));
}

/** The name of a provider for messages. */
export function providerTitle(kind: ProviderKind): string {
  if (KDE.includes(kind)) return `KWallet (${kind})`;
  return kind === "keepassxc" ? "KeePassXC" : kind === "other" ? "another program" : kind;
}

/** Whether a provider asks its user for each connection, and for each deletion. */
export function asksEachConnection(kind: ProviderKind): boolean {
  return kind === "keepassxc";
}

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
