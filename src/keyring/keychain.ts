import type { RekeyError } from "../core/errors.ts";
import { keyringAbsent, keyringLocked } from "./keyring_errors.ts";
import type { KeyringPlatform } from "./platform.ts";

/** What the user's default keychain on macOS is like. */
export type KeychainState = "open" | "locked" | "absent" | "unknown";

/** Asks Keychain Services for the default keychain's state. @returns a status, 0 for success. */
export type AskState = (state: Uint32Array<ArrayBuffer>) => number;

// A whole path: the system looks for a plain name in the working folder too.
const SECURITY = "/System/Library/Frameworks/Security.framework/Security";

// Each release of rekey is asked for once, and a password may have to be looked for.
const DIALOG_MS = 60_000;

// Of <Security/SecKeychain.h> and <Security/SecBase.h>: no such keychain, no default one.
const [UNLOCKED, UNKNOWN, ABSENT] = [1, 1, [-25294, -25307]];

/** The state of the default keychain. No one is asked to unlock it. */
export function keychainState(ask: AskState = askSecurity): KeychainState {
  const state = new Uint32Array(1);
  const status = ask(state);
  if (ABSENT.includes(status)) return "absent";
  if (status !== 0) return "unknown";
  return (state[0]! & UNLOCKED) !== 0 ? "open" : "locked";
}

/**
 * What macOS tells of a keychain beside the addon. Its errors may be in the user's language, and a call that waits for
 * a dialog says nothing; whether it is locked can be asked for at once.
 */
export function keychainPlatform(ask?: AskState): KeyringPlatform {
  const refusal = (cause?: unknown): RekeyError | undefined => {
    const state = keychainState(ask);
    if (state === "locked") return keyringLocked(cause, "darwin");
    return state === "absent" ? keyringAbsent(cause, "darwin") : undefined;
  };
  return {
    load: (addon) => addon(),
    dialogMs: DIALOG_MS,
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

// It only explains what has failed already: where it cannot be asked, that is not another failure.
function openSecurity() {
  try {
    return Deno.dlopen(SECURITY, {
      SecKeychainGetStatus: { parameters: ["pointer", "buffer"], result: "i32" },
    });
  } catch {
    return undefined;
  }
}
