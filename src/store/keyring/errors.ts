import { type ErrorCode, RekeyError } from "../../core/errors.ts";
import { SYSTEM } from "../../system/system.ts";
import { REMEDIES } from "./remedies.ts";

/** Error codes of a keyring call. */
export type KeyringCode = typeof KEYRING_UNAVAILABLE[number] | "secret_damaged";

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
