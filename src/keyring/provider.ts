import { type BusConnection, DBUS } from "./dbus_connection.ts";
import { BusError, type Reader, type Writer } from "./dbus_wire.ts";

// A name on the bus that each has beside the Secret Service's. The runtime does not let a program look into /proc.
const NAMES = {
  "gnome-keyring": "org.gnome.keyring",
  kwalletd5: "org.kde.kwalletd5",
  kwalletd6: "org.kde.kwalletd6",
  ksecretd: "org.kde.ksecretd",
  keepassxc: "org.keepassxc.KeePassXC.MainWindow",
} as const;

/** Programs that provide the Secret Service and differ in what rekey has to know of them. */
export type ProviderKind = keyof typeof NAMES | "other";

/** Who provides the Secret Service on a session bus. */
export interface Provider {
  readonly kind: ProviderKind;
  readonly pid: number;
  /** Its own name on the bus, such as `:1.7`: no other connection to this bus ever has it. */
  readonly name: string;
  /** Tells this run of it from every other one, on this bus and on others. */
  readonly incarnation: string;
}

const KDE: readonly ProviderKind[] = ["kwalletd5", "kwalletd6", "ksecretd"];

/** Whether two providers may have the same items: KDE's take over from each other. */
export function areOfOneKind(some: ProviderKind, other: ProviderKind): boolean {
  return some === other || (KDE.includes(some) && KDE.includes(other));
}

/** What its user knows a provider by. */
export function providerTitle(kind: ProviderKind): string {
  if (KDE.includes(kind)) return `KWallet (${kind})`;
  return kind === "keepassxc" ? "KeePassXC" : kind === "other" ? "another program" : kind;
}

/** Whether a provider asks its user for each connection, and once more for each item that is deleted. */
export function asksEachConnection(kind: ProviderKind): boolean {
  return kind === "keepassxc";
}

const SECRETS = "org.freedesktop.secrets";

/**
 * Asks the bus who provides the Secret Service; the provider itself is not asked, and none is started.
 *
 * @returns `undefined` when there is none, or none that the bus will tell of.
 * @throws {BusError} when the bus does not answer.
 */
export async function findProvider(bus: BusConnection): Promise<Provider | undefined> {
  const owning = ownerOf(bus, SECRETS);
  const counting = bus.enqueue(question("GetConnectionUnixProcessID", SECRETS));
  const identifying = bus.enqueue({ ...DBUS, member: "GetId" });
  const others = Object.entries(NAMES).map(([kind, name]) => ({
    kind,
    asking: ownerOf(bus, name),
  }));
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

function ownerOf(bus: BusConnection, name: string): number {
  return bus.enqueue(question("GetNameOwner", name));
}

function question(member: string, name: string) {
  return { ...DBUS, member, signature: "s", body: (to: Writer) => void to.string(name) };
}

// A name without an owner is an error to the bus.
async function unlessRefused(answer: Promise<Reader>): Promise<Reader | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof BusError && error.isRefusal) return undefined;
    throw error;
  }
}
