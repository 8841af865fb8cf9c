import { type ErrorCode, RekeyError } from "../core/errors.ts";
import { HERE } from "../system/here.ts";
import { remedyOn } from "./system_hints.ts";
import type { System } from "../system/system.ts";

/** What an error of the keyring's can be. */
export type KeyringCode = typeof KEYRING_UNAVAILABLE[number] | "secret_damaged";

interface KeyringFault {
  readonly text: RegExp;
  readonly code: KeyringCode;
}

const WHAT: Readonly<Record<KeyringCode, string>> = {
  secret_damaged: "its value is no text",
  keyring_ambiguous: "more than one item has the secret's service and account",
  keyring_locked: "it is locked",
  keyring_denied: "access is denied",
  keyring_timeout: "it does not answer",
  keyring_absent: "there is none in this session",
  keyring_no_default: "it has no default wallet or collection",
  keyring_failed: "it reports an error",
};

// The addon gives one error code for everything, so the texts of the Secret Service, of D-Bus, of Keychain Services and
// of Credential Manager tell the cases apart. Keychain Services may speak the user's language: see `keychain.ts`.
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

/** What a failed call of the keyring means; the original error is kept as the cause. */
export function keyringError(cause: unknown, os = HERE.os): RekeyError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = KEYRING_FAULTS.find((finding) => finding.text.test(text))?.code ?? "keyring_failed";
  return found(code, cause, os);
}

/** The keyring did not answer in the time it was given. */
export function keyringTimeout(os = HERE.os): RekeyError {
  return found("keyring_timeout", undefined, os);
}

/** The keyring has values of rekey's that cannot be read before it is unlocked. */
export function keyringLocked(cause?: unknown, os = HERE.os): RekeyError {
  return found("keyring_locked", cause, os);
}

/** There is no keyring for this user. */
export function keyringAbsent(cause?: unknown, os = HERE.os): RekeyError {
  return found("keyring_absent", cause, os);
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

function found(code: KeyringCode, cause: unknown, os: System["os"]): RekeyError {
  const { hint } = remedyOn(os, code);
  return new RekeyError(code, `Cannot use the keyring: ${WHAT[code]}`, { hint, cause });
}
