import { type BusConnection, DBUS } from "./dbus_connection.ts";
import { BusError, type Reader, type Writer } from "./dbus_wire.ts";
import type { ErrorCode } from "../../../core/errors.ts";

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

/** What there is to do about a keyring that cannot be used: one hint for a person, one command for a shell. */
export interface Remedy {
  readonly hint: string;
  /** `undefined` where only a person at a window can do it. */
  readonly command?: string;
}

/** Errors whose remedy differs from one provider to the next. */
type Trouble = Extract<
  ErrorCode,
  | "keyring_locked"
  | "keyring_denied"
  | "keyring_timeout"
  | "keyring_failed"
  | "keyring_no_default"
>;

type TroubleRemedies = Readonly<Record<Trouble, Remedy>>;

const GNOME: TroubleRemedies = {
  keyring_locked: {
    hint: "Unlock gnome-keyring: log in to the desktop, or run `gnome-keyring-daemon --unlock`",
    command: "gnome-keyring-daemon --unlock --components=secrets",
  },
  keyring_denied: {
    hint: "gnome-keyring denies it: allow this program in `seahorse`",
    command: "seahorse",
  },
  keyring_timeout: {
    hint:
      "gnome-keyring does not answer: answer its unlock prompt, or restart gnome-keyring-daemon; " +
      "REKEY_KEYRING_TIMEOUT=30s waits longer",
    command: "gnome-keyring-daemon --replace --components=secrets",
  },
  keyring_failed: {
    hint: "gnome-keyring reports an error: look at `journalctl --user -b -g keyring`",
    command: "journalctl --user -b -g keyring",
  },
  keyring_no_default: {
    hint: "gnome-keyring has no default collection: `gnome-keyring-daemon --unlock` makes one " +
      "with the password that it reads, `seahorse` makes one on a desktop",
    command: "gnome-keyring-daemon --replace --unlock --components=secrets",
  },
};

const KEEPASSXC: TroubleRemedies = {
  keyring_locked: {
    hint:
      "Unlock the database in KeePassXC; where it is unlocked, it asks before each access: turn " +
      "off Tools > Settings > Secret Service Integration > `Confirm when passwords are retrieved " +
      "by clients`",
  },
  keyring_denied: {
    hint:
      "KeePassXC was told to refuse: allow rekey in its dialog, or turn off Tools > Settings > " +
      "Secret Service Integration > `Confirm when passwords are retrieved by clients`",
  },
  keyring_timeout: {
    hint:
      "KeePassXC does not answer, or waits for its dialog to be answered: answer it, or turn off " +
      "Tools > Settings > Secret Service Integration > `Confirm when passwords are retrieved by " +
      "clients` and `Confirm when clients request entry deletion`; or use --store database",
  },
  keyring_failed: { hint: "KeePassXC reports an error: look at its window, then try again" },
  keyring_no_default: {
    hint: "KeePassXC exposes no group: open a database, and choose a group under " +
      "Database > Database Settings > Secret Service Integration",
  },
};

/** @param daemon the program's name. @param wallets the interface of KDE that lists wallets. */
function kde(daemon: string): TroubleRemedies {
  return {
    keyring_locked: {
      hint: `Open the wallet of KWallet (${daemon}): log in to the desktop, or open it in ` +
        "`kwalletmanager5`",
      command: "kwalletmanager5",
    },
    keyring_denied: {
      hint: `KWallet (${daemon}) denies it: allow rekey in System Settings > KDE Wallet > ` +
        "Access Control",
      command: "kwalletmanager5",
    },
    keyring_timeout: {
      hint: `KWallet (${daemon}) does not answer, or waits for the wallet's password: answer its ` +
        "dialog, or restart it; REKEY_KEYRING_TIMEOUT=30s waits longer",
      command: `systemctl --user status plasma-kwallet-pam; pidof ${daemon}`,
    },
    keyring_failed: {
      hint:
        `KWallet (${daemon}) reports an error: try again, or look at \`journalctl --user -b -g kwallet\``,
      command: "journalctl --user -b -g kwallet",
    },
    keyring_no_default: {
      hint: `KWallet (${daemon}) has no default wallet: make one in \`kwalletmanager5\` ` +
        "(File > New Wallet, named kdewallet), or log in with its PAM module",
      command: "kwalletmanager5",
    },
  };
}

const OTHER: TroubleRemedies = {
  keyring_locked: { hint: "Unlock it in the program that provides the Secret Service" },
  keyring_denied: { hint: "Allow this user and program in the keyring's settings" },
  keyring_timeout: {
    hint: "Answer its unlock prompt, or restart the program that provides the Secret Service; " +
      "REKEY_KEYRING_TIMEOUT=30s waits longer",
  },
  keyring_failed: { hint: "Check the keyring service's own log" },
  keyring_no_default: {
    hint: "The Secret Service has no default collection: make one in the program that provides it",
  },
};

const REMEDIES: Readonly<Record<ProviderKind, TroubleRemedies>> = {
  "gnome-keyring": GNOME,
  keepassxc: KEEPASSXC,
  kwalletd5: kde("kwalletd5"),
  kwalletd6: kde("kwalletd6"),
  ksecretd: kde("ksecretd"),
  other: OTHER,
};

/** What to do about an error with the provider that is there; `undefined` where it does not depend on it. */
export function remedyFor(code: ErrorCode, kind: ProviderKind): Remedy | undefined {
  return (REMEDIES[kind] as Partial<Record<ErrorCode, Remedy>>)[code];
}
