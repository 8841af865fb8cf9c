import type { ErrorCode } from "../../core/errors.ts";

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

/** Error codes of a keyring call. */
export type KeyringCode = typeof KEYRING_UNAVAILABLE[number] | "secret_damaged";
