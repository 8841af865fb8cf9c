import type { KeyringCode } from "./keyring_errors.ts";
import type { Remedy } from "./provider_hints.ts";
import type { System } from "../system/system.ts";

type Remedies = Readonly<Record<KeyringCode, Remedy>>;

const DAMAGED = {
  hint: "Restore it from a backup, or make a new one with `rekey rotate --force`",
};
const SLOW = "REKEY_KEYRING_TIMEOUT=30s waits longer";

const SECRET_SERVICE: Remedies = {
  secret_damaged: DAMAGED,
  keyring_ambiguous: {
    hint:
      "Delete the one that is not rekey's; `secret-tool search --all service SERVICE` lists them",
  },
  keyring_locked: {
    hint: "Unlock it (log in to the desktop, or `gnome-keyring-daemon --unlock`) and try again",
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

const KEYCHAIN: Remedies = {
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

const CREDENTIAL_MANAGER: Remedies = {
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

/** What to do about an error of the keyring, by the system's own means. */
export function remedyOn(os: System["os"], code: KeyringCode): Remedy {
  if (os === "darwin") return KEYCHAIN[code];
  return os === "windows" ? CREDENTIAL_MANAGER[code] : SECRET_SERVICE[code];
}

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
