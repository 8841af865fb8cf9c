import { type ErrorCode, RekeyError } from "../core/errors.ts";

interface Finding {
  readonly text: RegExp;
  readonly code: ErrorCode;
  readonly what: string;
  readonly hint: string;
}

const TIMEOUT: Omit<Finding, "text"> = {
  code: "keyring_timeout",
  what: "it does not answer",
  hint: "Answer its unlock prompt, or restart the keyring service; " +
    "REKEY_KEYRING_TIMEOUT=30s waits longer",
};

// The addon gives one error code for everything, so the texts of the Secret Service, of D-Bus, of
// Keychain Services and of Credential Manager tell the cases apart.
const FINDINGS: readonly Finding[] = [
  {
    text: /not valid UTF-8/,
    code: "secret_damaged",
    what: "its value is no text",
    hint: "Restore it from a backup, or make a new one with `rekey rotate --force`",
  },
  {
    text: /ambiguous|matched by \d+ credentials/i,
    code: "keyring_ambiguous",
    what: "more than one item has the secret's service and account",
    hint:
      "Delete the one that is not rekey's; `secret-tool search --all service SERVICE` lists them",
  },
  {
    text: /prompt was dismissed|\block(ed)?\b|interaction is not allowed|errSecInteraction/i,
    code: "keyring_locked",
    what: "it is locked",
    hint: "Unlock it (log in to the desktop, or `gnome-keyring-daemon --unlock`) and try again",
  },
  {
    text:
      /AccessDenied|rejected send message|access (is )?denied|permission denied|not permitted|errSecAuthFailed/i,
    code: "keyring_denied",
    what: "access is denied",
    hint: "Allow this user and program in the keyring's settings",
  },
  { text: /did not receive a reply|timeout|timed out|NoReply/i, ...TIMEOUT },
  {
    text:
      /autolaunch|failed to connect|ServiceUnknown|not provided by any|no such file|no storage/i,
    code: "keyring_absent",
    what: "there is none in this session",
    hint: "Start a Secret Service (gnome-keyring, KWallet, KeePassXC) in this session and set " +
      "DBUS_SESSION_BUS_ADDRESS",
  },
];

const UNKNOWN: Omit<Finding, "text"> = {
  code: "keyring_failed",
  what: "it reports an error",
  hint: "Check the keyring service's own log",
};

/** What a failed call of the keyring means; the original error is kept as the cause. */
export function keyringError(cause: unknown): RekeyError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return found(FINDINGS.find((finding) => finding.text.test(text)) ?? UNKNOWN, cause);
}

/** The keyring did not answer in the time it was given. */
export function keyringTimeout(): RekeyError {
  return found(TIMEOUT, undefined);
}

/** The keyring has values of rekey's that cannot be read before it is unlocked. */
export function keyringLocked(): RekeyError {
  return keyringError(new Error("It is locked"));
}

/** Another program provides the keyring than the one that has the secret. @param usual, actual their titles. */
export function otherKeyring(usual: string, actual: string): RekeyError {
  return new RekeyError(
    "keyring_absent",
    `Cannot use the keyring: ${actual} answers, and the secret is in ${usual}`,
    {
      hint: `Start ${usual}, and stop ${actual}, which the session may have started in its place`,
    },
  );
}

/** Codes that say that the keyring itself cannot be used just now. */
export const KEYRING_UNAVAILABLE = [
  "keyring_absent",
  "keyring_locked",
  "keyring_denied",
  "keyring_ambiguous",
  "keyring_timeout",
  "keyring_failed",
  "keyring_no_default",
] as const satisfies readonly ErrorCode[];

function found({ code, what, hint }: Omit<Finding, "text">, cause: unknown): RekeyError {
  return new RekeyError(code, `Cannot use the keyring: ${what}`, { hint, cause });
}
