/**
 * A bus name that each provider owns beside the Secret Service's. The runtime does not let a program read /proc.
 */
export const NAMES = {
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

// KWallet's daemons save some seconds after a write, and at once when told to. Since KDE Frameworks 6.13 ksecretd
// provides the Secret Service.
const WALLET_PATHS: Partial<Record<ProviderKind, string>> = {
  kwalletd5: "/modules/kwalletd5",
  kwalletd6: "/modules/kwalletd6",
  ksecretd: "/ksecretd",
};

/** Path of the object through which a provider saves when it is told to; `undefined` for one that cannot be told. */
export function walletPath(kind: ProviderKind): string | undefined {
  return WALLET_PATHS[kind];
}
