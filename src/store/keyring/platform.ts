import type { RekeyError } from "../../core/errors.ts";
import { keyringRefusal } from "./errors.ts";
import { SharedConnection } from "./secret_service/shared_connection.ts";
import type { KeyringState } from "./secret_service/diagnosis.ts";
import type { KeyringAddon } from "./addon.ts";
import type { Saving, SessionPlaces } from "./secret_service/saving.ts";
import type { QuickReader } from "./secret_service/client.ts";
import { walletPath } from "./secret_service/provider.ts";
import type { ItemName } from "./secret_service/service_calls.ts";
import type { System } from "../../system/system.ts";

/** Default timeout of one keyring call, in milliseconds. */
export const KEYRING_TIMEOUT_MS = 3_000;

/** What a system offers beside the addon. Without a part, only the addon is used. */
export interface KeyringPlatform {
  /** The addon, or a wrapper around it. */
  load(addon: () => KeyringAddon): KeyringAddon;
  /**
   * Reads an item without the addon, within `limit` milliseconds; `undefined` when only the addon can tell. Runs
   * `meanwhile` while it waits.
   */
  readonly readQuickly?:
    | ((item: ItemName, limit: number, meanwhile?: () => void) => Promise<string | undefined>)
    | undefined;
  readonly saving?: Saving | undefined;
  /** Most characters of a value that an item holds, as UTF-16 counts them; without it, more than rekey's values have. */
  readonly longestValue?: number | undefined;
  /** Checks within `limit` milliseconds that the keyring is unlocked; throws a `keyring_…` code. */
  readonly look?: ((item: ItemName, limit: number) => Promise<void>) | undefined;
  /** Adds to an error what the system knows about its cause. @param isSilent whether the keyring is known not to answer. */
  readonly diagnose?: (error: RekeyError, isSilent?: boolean) => Promise<RekeyError>;
  /** The state of the keyring, within `limit` milliseconds. */
  readonly condition?: (service: string, limit: number) => Promise<KeyringState>;
  /** How long a person may take for the system's own dialog, which closes when the command ends; in milliseconds. */
  readonly dialogMs?: number;
}

// CRED_MAX_CREDENTIAL_BLOB_SIZE of <wincred.h>, 2,560 bytes, in which the addon writes UTF-16.
const LONGEST_CREDENTIAL = 2_560 / Uint16Array.BYTES_PER_ELEMENT;

/** State of the user's default keychain on macOS. */
type KeychainState = "open" | "locked" | "absent" | "unknown";

/** Asks Keychain Services for the default keychain's state. @returns a status, 0 for success. */
export type AskState = (state: Uint32Array<ArrayBuffer>) => number;

// An absolute path: the system would look for a bare name in the working folder too.
const SECURITY = "/System/Library/Frameworks/Security.framework/Security";

// macOS asks once for each release of rekey, and the user may have to look up a password.
const DIALOG_MS = 60_000;

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

/**
 * The platform of macOS. The addon's errors may be in the user's language, and a call that waits for a dialog gives no
 * error; Keychain Services tells at once whether a keychain is locked.
 */
export function keychainPlatform(ask?: AskState): KeyringPlatform {
  const refusal = (cause?: unknown): RekeyError | undefined => {
    const state = keychainState(ask);
    if (state === "locked") return keyringRefusal("keyring_locked", cause, "darwin");
    return state === "absent" ? keyringRefusal("keyring_absent", cause, "darwin") : undefined;
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

/**
 * Timeout of a keyring call, in milliseconds.
 *
 * @param named the operator's setting, if any.
 * @param isAttended whether someone can answer a dialog.
 */
export function timeoutOf(
  { dialogMs }: KeyringPlatform,
  named: number | undefined,
  isAttended: boolean,
): number {
  return named ?? (isAttended ? dialogMs : undefined) ?? KEYRING_TIMEOUT_MS;
}

/**
 * The platform of an operating system. Keychain and Credential Manager save before they answer, so only Linux has
 * `saving`.
 *
 * @param places called when needed, on Linux only.
 */
export function keyringPlatform(os: System["os"], places: () => SessionPlaces): KeyringPlatform {
  if (os === "darwin") return keychainPlatform();
  if (os === "linux") return secretServicePlatform(places);
  return { load: (addon) => addon(), longestValue: LONGEST_CREDENTIAL };
}

// What speaks to the session bus is loaded when the keyring is used.
function secretServicePlatform(places: () => SessionPlaces): KeyringPlatform {
  const connection = new SharedConnection(places);
  let reader: QuickReader | undefined;
  const service = async () => {
    const { ServiceSaving } = await import("./secret_service/saving.ts");
    return new ServiceSaving(places);
  };
  return {
    load: (addon) => connection.entries(addon()),
    async readQuickly(item, limit, meanwhile) {
      const { QuickReader } = await import("./secret_service/client.ts");
      reader ??= new QuickReader(places());
      return await reader.read(item, limit, meanwhile);
    },
    saving: {
      provider: async () => await (await service()).provider(),
      savesOnDemand: ({ kind }) => walletPath(kind) !== undefined,
      save: async (...given) => await (await service()).save(...given),
    },
    async look(item, limit) {
      const { mustBeReady } = await import("./secret_service/diagnosis.ts");
      await mustBeReady(places(), item, limit);
    },
    async diagnose(error, isSilent) {
      const { diagnose } = await import("./secret_service/diagnosis.ts");
      return await diagnose(places(), error, isSilent);
    },
    async condition(name, limit) {
      const { probeKeyring } = await import("./secret_service/diagnosis.ts");
      return await probeKeyring(places(), name, limit);
    },
  };
}
