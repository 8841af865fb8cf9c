import type { RekeyError } from "../../core/errors.ts";
import type { MaybeAsync } from "../../core/async.ts";
import type { SharedConnection } from "./secret_service/shared_connection.ts";
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
  load(addon: () => MaybeAsync<KeyringAddon>): MaybeAsync<KeyringAddon>;
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

// macOS asks once for each release of rekey, and the user may have to look up a password.
const DIALOG_MS = 60_000;

// CRED_MAX_CREDENTIAL_BLOB_SIZE of <wincred.h>, 2,560 bytes, in which the addon writes UTF-16.
const LONGEST_CREDENTIAL = 2_560 / Uint16Array.BYTES_PER_ELEMENT;

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

function keychainPlatform(): KeyringPlatform {
  const asking = async () => (await import("./keychain.ts")).keychain();
  return {
    load: (addon) => addon(),
    dialogMs: DIALOG_MS,
    look: async (...given) => await (await asking()).look(...given),
    diagnose: async (...given) => await (await asking()).diagnose(...given),
    condition: async (...given) => await (await asking()).condition(...given),
  };
}

// What speaks to the session bus is loaded when the keyring is used.
function secretServicePlatform(places: () => SessionPlaces): KeyringPlatform {
  let connection: SharedConnection | undefined;
  let reader: QuickReader | undefined;
  const service = async () => {
    const { ServiceSaving } = await import("./secret_service/saving.ts");
    return new ServiceSaving(places);
  };
  return {
    async load(addon) {
      const { SharedConnection } = await import("./secret_service/shared_connection.ts");
      return (connection ??= new SharedConnection(places)).entries(await addon());
    },
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
