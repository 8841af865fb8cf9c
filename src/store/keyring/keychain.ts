import type { RekeyError } from "../../core/errors.ts";
import { keyringRefusal } from "./errors.ts";
import type { KeyringPlatform } from "./platform.ts";

/** State of the user's default keychain on macOS. */
type KeychainState = "open" | "locked" | "absent" | "unknown";

/** Asks Keychain Services for the default keychain's state. @returns a status, 0 for success. */
export type AskState = (state: Uint32Array<ArrayBuffer>) => number;

// An absolute path: the system would look for a bare name in the working folder too.
const SECURITY = "/System/Library/Frameworks/Security.framework/Security";

// Of <Security/SecKeychain.h> and <Security/SecBase.h>: no such keychain, no default one.
const [UNLOCKED, UNKNOWN, ABSENT] = [1, 1, [-25294, -25307]];

/** The state of the default keychain. Shows no prompt. */
export function keychainState(ask: AskState = askSecurity): KeychainState {
  const state = new Uint32Array(1);
  const status = ask(state);
  if (ABSENT.includes(status)) return "absent";
  if (status !== 0) return "unknown";
  return (state[0]! & UNLOCKED) !== 0 ? "open" : "locked";
}

/** What macOS tells about its keychain. */
type Keychain = {
  readonly [Part in "look" | "diagnose" | "condition"]: NonNullable<KeyringPlatform[Part]>;
};

/**
 * What Keychain Services tell beside the addon. Its errors may be in the user's language, and a call that waits for a
 * dialog gives none; Keychain Services say at once whether a keychain is locked.
 */
export function keychain(ask?: AskState): Keychain {
  const refusal = (cause?: unknown): RekeyError | undefined => {
    const state = keychainState(ask);
    if (state === "locked") return keyringRefusal("keyring_locked", cause, "darwin");
    return state === "absent" ? keyringRefusal("keyring_absent", cause, "darwin") : undefined;
  };
  return {
    // deno-lint-ignore require-await
    async look() {
      const why = refusal();
      if (why !== undefined) throw why;
    },
    // deno-lint-ignore require-await
    async diagnose(error) {
      if (error.code === "secret_damaged" || error.code === "keyring_ambiguous") return error;
      return refusal(error.cause) ?? error;
    },
    // deno-lint-ignore require-await
    async condition() {
      return keychainState(ask) === "locked" ? "locked" : "unknown";
    },
  };
}

function askSecurity(state: Uint32Array<ArrayBuffer>): number {
  const security = openSecurity();
  try {
    return security?.symbols.SecKeychainGetStatus(null, state) ?? UNKNOWN;
  } finally {
    security?.close();
  }
}

// Only explains an earlier failure, so a failure here is ignored.
function openSecurity() {
  try {
    return Deno.dlopen(SECURITY, {
      SecKeychainGetStatus: { parameters: ["pointer", "buffer"], result: "i32" },
    });
  } catch {
    return undefined;
  }
}
