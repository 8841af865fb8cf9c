import type { ErrorCode } from "../core/errors.ts";
import type { ProviderKind } from "./provider.ts";

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
