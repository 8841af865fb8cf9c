import { RekeyError } from "../../core/errors.ts";
import { SYSTEM, type System } from "../../system/system.ts";
import type { KeyringCode } from "./codes.ts";
import type { ProviderKind } from "./secret_service/provider.ts";

const WHAT: Readonly<Record<KeyringCode, string>> = {
  secret_damaged: "its value is not text",
  keyring_ambiguous: "more than one item has the secret's service and account",
  keyring_locked: "it is locked",
  keyring_denied: "access is denied",
  keyring_timeout: "it does not answer",
  keyring_absent: "there is none in this session",
  keyring_no_default: "it has no default wallet or collection",
  keyring_failed: "it reports an error",
};

// The addon has one code for all errors, so the texts of the Secret Service, D-Bus, Keychain Services and Credential
// Manager decide. Keychain Services may use the user's language: see `platform.ts`.
const FAULTS: readonly { code: KeyringCode; text: RegExp }[] = [
  { code: "secret_damaged", text: /not valid UTF-8|secret data is malformed/i },
  { code: "keyring_ambiguous", text: /ambiguous|matched by \d+ credentials/i },
  {
    code: "keyring_locked",
    text: /prompt was dismissed|\block(ed)?\b|interaction is (not allowed|required)/i,
  },
  {
    code: "keyring_denied",
    text:
      /AccessDenied|rejected send message|access (is )?denied|permission denied|not permitted|passphrase you entered is not correct|user canceled|entitlement isn't present|read-?only error|cannot be modified|Windows error code 5$/i,
  },
  { code: "keyring_timeout", text: /did not receive a reply|timeout|timed out|NoReply/i },
  {
    code: "keyring_absent",
    text:
      /autolaunch|failed to connect|ServiceUnknown|not provided by any|no such file|no storage|keychain could not be found|no keychain is available|NO_SUCH_LOGON_SESSION/i,
  },
];

/** The error for a failed keyring call; the original error is its cause. */
export function keyringError(cause: unknown, os = SYSTEM.os): RekeyError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = FAULTS.find((fault) => fault.text.test(text))?.code ?? "keyring_failed";
  return keyringRefusal(code, cause, os);
}

/** The error of a code. */
export function keyringRefusal(code: KeyringCode, cause?: unknown, os = SYSTEM.os): RekeyError {
  const { hint } = REMEDIES[os][code];
  return new RekeyError(code, `Cannot use the keyring: ${WHAT[code]}`, { hint, cause });
}

/** Another program provides the keyring than the one that holds the secret. @param usual, actual their titles. */
export function otherKeyring(usual: string, actual: string): RekeyError {
  return new RekeyError(
    "keyring_absent",
    `Cannot use the keyring: ${actual} answers, and the secret is in ${usual}`,
    {
      hint: `Start ${usual}, and stop ${actual}, which the session may have started in its place`,
    },
  );
}

/** What to do about a keyring error: a hint for a person, a command for a shell. */
interface Remedy {
  readonly hint: string;
  /** `undefined` where only a person at a window can do it. */
  readonly command?: string;
}

type SystemRemedies = Readonly<Record<KeyringCode, Remedy>>;

/** Remedies that depend on the program that provides the Secret Service. */
type ServiceRemedies = Readonly<Record<ServiceCode, Remedy>>;
type ServiceCode = Exclude<KeyringCode, "secret_damaged" | "keyring_ambiguous" | "keyring_absent">;

const DAMAGED = {
  hint: "Restore it from a backup, or make a new one with `rekey rotate --force`",
};
const SLOW = "REKEY_KEYRING_TIMEOUT=30s waits longer";

const SECRET_SERVICE: SystemRemedies = {
  secret_damaged: DAMAGED,
  keyring_ambiguous: {
    hint:
      "Delete the one that is not rekey's; `secret-tool search --all service SERVICE` lists them",
  },
  keyring_locked: {
    hint: "Unlock it: log in to the desktop, or use the program that provides the Secret Service",
  },
  keyring_denied: { hint: "Allow this user and program in the keyring's settings" },
  keyring_timeout: {
    hint: `Answer its unlock prompt, or restart the keyring service; ${SLOW}`,
  },
  keyring_absent: {
    hint: "Start a Secret Service (gnome-keyring, KWallet, KeePassXC) in this session and set " +
      "DBUS_SESSION_BUS_ADDRESS",
  },
  keyring_no_default: {
    hint: "Make a default collection in the program that provides the Secret Service",
  },
  keyring_failed: { hint: "Check the keyring service's own log" },
};

const KEYCHAIN: SystemRemedies = {
  secret_damaged: DAMAGED,
  keyring_ambiguous: {
    hint: "Delete the one that is not rekey's in Keychain Access",
    command: "open -a 'Keychain Access'",
  },
  keyring_locked: {
    hint:
      "Unlock the login keychain: `security unlock-keychain` asks for its password, also where " +
      "no dialog can appear, as over ssh",
    command: "security unlock-keychain",
  },
  keyring_denied: {
    hint:
      "Choose Always Allow when macOS asks for rekey, once for each of its releases, or allow it " +
      "under Access Control of the item in Keychain Access",
    command: "open -a 'Keychain Access'",
  },
  keyring_timeout: {
    hint: `Answer the dialog of macOS that asks for rekey; ${SLOW}`,
    command: "open -a 'Keychain Access'",
  },
  keyring_absent: {
    hint: "Run it as a user with a login keychain (`security default-keychain` names it), or use " +
      "--store database",
    command: "security default-keychain",
  },
  keyring_no_default: {
    hint: "Make one the default: `security default-keychain -s login.keychain-db`",
    command: "security list-keychains",
  },
  keyring_failed: {
    hint: "Look at the keychain with `security show-keychain-info`, or use --store database",
    command: "security show-keychain-info",
  },
};

const CREDENTIAL_MANAGER: SystemRemedies = {
  secret_damaged: DAMAGED,
  keyring_ambiguous: {
    hint: "Delete the one that is not rekey's in Credential Manager",
    command: "cmdkey /list",
  },
  keyring_locked: { hint: "Log in as the user whose secret it is, and try again" },
  keyring_denied: { hint: "Run it as the user whose secret it is" },
  keyring_timeout: { hint: `Try again; ${SLOW}` },
  keyring_absent: {
    hint: "Log in with a password: a network logon, such as by an ssh key, has no Credential " +
      "Manager; or use --store database",
  },
  keyring_no_default: { hint: "Use --store database" },
  keyring_failed: {
    hint: "Look at Credential Manager with `cmdkey /list`, or use --store database",
    command: "cmdkey /list",
  },
};

// With `--unlock` alone a second daemon starts, which leaves the first as it is and takes its control socket: then
// `--replace` ends only the second. A daemon that was just ended still has its bus name for a moment. `--replace` ends
// one that the bus starts while the password is typed.
const GNOME_START = "gnome-keyring-d; sleep 1; " +
  "gnome-keyring-daemon --replace --unlock --components=secrets";
const GNOME_RESTART = `pkill -u "$(id -u)" -x ${GNOME_START}`;
// One that hangs ends by nothing else, and `--replace` waits for its answer.
const GNOME_KILL = `pkill -KILL -u "$(id -u)" -x ${GNOME_START}`;

const GNOME: ServiceRemedies = {
  keyring_locked: {
    hint: "Unlock gnome-keyring: log in to the desktop, or restart it and type its password and " +
      `Ctrl-D twice, without Enter: \`${GNOME_RESTART}\``,
    command: GNOME_RESTART,
  },
  keyring_denied: {
    hint: "gnome-keyring denies it: allow this program in `seahorse`",
    command: "seahorse",
  },
  keyring_timeout: {
    hint: "gnome-keyring does not answer: answer its unlock prompt, or restart it and type its " +
      `password and Ctrl-D twice, without Enter: \`${GNOME_KILL}\`; ${SLOW}`,
    command: GNOME_KILL,
  },
  keyring_failed: {
    hint: "gnome-keyring reports an error: look at `journalctl --user -b -g keyring`",
    command: "journalctl --user -b -g keyring",
  },
  keyring_no_default: {
    hint: "gnome-keyring has no default collection: `seahorse` makes one on a desktop; elsewhere " +
      `restart it and type a password for one and Ctrl-D twice, without Enter: \`${GNOME_RESTART}\``,
    command: GNOME_RESTART,
  },
};

const KEEPASSXC: ServiceRemedies = {
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

function kwallet(daemon: string): ServiceRemedies {
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

const OTHER: ServiceRemedies = {
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

/** Remedies by the system's keyring, and by the provider of the Secret Service once it is known. */
export const REMEDIES:
  & Readonly<Record<System["os"], SystemRemedies>>
  & Readonly<Record<ProviderKind, ServiceRemedies & Partial<SystemRemedies>>> = {
    linux: SECRET_SERVICE,
    darwin: KEYCHAIN,
    windows: CREDENTIAL_MANAGER,
    "gnome-keyring": GNOME,
    keepassxc: KEEPASSXC,
    kwalletd5: kwallet("kwalletd5"),
    kwalletd6: kwallet("kwalletd6"),
    ksecretd: kwallet("ksecretd"),
    other: OTHER,
  };

/** What to do when the system refuses to load the addon from a path. */
export function addonHint(os: System["os"], path: string): string {
  if (os === "windows") {
    return "Install Microsoft's Visual C++ Redistributable, which it needs (VCRUNTIME140.dll), or use " +
      "--store database";
  }
  if (os === "darwin") {
    return `Does macOS block ${path}? Look under Privacy & Security, or use --store database`;
  }
  return `Is ${path} on a file system that forbids programs (noexec)? XDG_CACHE_HOME names another`;
}
