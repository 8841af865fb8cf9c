import { type ErrorCode, RekeyError } from "../../core/errors.ts";
import { SYSTEM, type System } from "../../system/system.ts";
import type { Remedy } from "./secret_service/provider.ts";

/** Error codes of a keyring call. */
export type KeyringCode = typeof KEYRING_UNAVAILABLE[number] | "secret_damaged";

interface KeyringFault {
  readonly text: RegExp;
  readonly code: KeyringCode;
}

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
const KEYRING_FAULTS: readonly KeyringFault[] = [
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
  const code = KEYRING_FAULTS.find((finding) => finding.text.test(text))?.code ?? "keyring_failed";
  return found(code, cause, os);
}

/** The keyring did not answer in time. */
export function keyringTimeout(os = SYSTEM.os): RekeyError {
  return found("keyring_timeout", undefined, os);
}

/** The keyring is locked. */
export function keyringLocked(cause?: unknown, os = SYSTEM.os): RekeyError {
  return found("keyring_locked", cause, os);
}

/** There is no keyring for this user. */
export function keyringAbsent(cause?: unknown, os = SYSTEM.os): RekeyError {
  return found("keyring_absent", cause, os);
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

/** Codes that mean that the keyring cannot be used now. */
export const KEYRING_UNAVAILABLE = [
  "keyring_absent",
  "keyring_locked",
  "keyring_denied",
  "keyring_ambiguous",
  "keyring_timeout",
  "keyring_failed",
  "keyring_no_default",
] as const satisfies readonly ErrorCode[];

function found(code: KeyringCode, cause: unknown, os: System["os"]): RekeyError {
  const { hint } = remedyOn(os, code);
  return new RekeyError(code, `Cannot use the keyring: ${WHAT[code]}`, { hint, cause });
}

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

/** What to do about a keyring error on a system. */
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
