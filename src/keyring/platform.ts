import { AskedOnce } from "./asking_entries.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { keychainPlatform } from "./keychain.ts";
import type { KeyringAddon } from "./keyring_addon.ts";
import { KEYRING_TIMEOUT_MS, type Look, type QuickRead } from "./keyring_store.ts";
import type { KeyringState } from "./probe.ts";
import { type Saving, ServiceSaving, type SessionPlaces } from "./saving.ts";
import type { SecretService } from "./secret_service.ts";
import type { System } from "../system/system.ts";

/** What a system offers beside the addon to ask about its keyring. Where a part is missing, the addon alone is asked. */
export interface KeyringPlatform {
  /** The addon, or what is put before it. */
  load(addon: () => KeyringAddon): KeyringAddon;
  readonly readQuickly?: QuickRead;
  readonly saving?: Saving;
  readonly look?: Look;
  readonly diagnose?: Diagnosis;
  readonly condition?: (service: string, limit: number) => Promise<KeyringState>;
  /** How long a person may take for the system's own dialog, which is gone when the command ends; in milliseconds. */
  readonly dialogMs?: number;
}

/**
 * How long a call to the keyring may take, in milliseconds.
 *
 * @param named by the operator, if it is.
 * @param isAttended whether someone is there who could answer a dialog.
 */
export function timeoutOf(
  { dialogMs }: KeyringPlatform,
  named: number | undefined,
  isAttended: boolean,
): number {
  return named ?? (isAttended ? dialogMs : undefined) ?? KEYRING_TIMEOUT_MS;
}

/**
 * That of a system. Keychain and Credential Manager are part of theirs, and keep what they acknowledge.
 *
 * @param places are asked for when they are needed; nowhere but on Linux.
 */
export function keyringPlatform(os: System["os"], places: () => SessionPlaces): KeyringPlatform {
  if (os === "darwin") return keychainPlatform();
  return os === "windows" ? { load: (addon) => addon() } : secretServicePlatform(places);
}

// What few commands need is loaded by those.
function secretServicePlatform(places: () => SessionPlaces): KeyringPlatform {
  const connection = new AskedOnce(places);
  let service: SecretService | undefined;
  return {
    load: (addon) => connection.entries(addon()),
    async readQuickly(item, limit, meanwhile) {
      service ??= new (await import("./secret_service.ts")).SecretService(places());
      return await service.read(item, limit, meanwhile);
    },
    saving: new ServiceSaving(places),
    async look(item, limit) {
      const { mustBeReady } = await import("./readiness.ts");
      await mustBeReady(places(), item, limit);
    },
    async diagnose(error, isSilent) {
      const { serviceDiagnosis } = await import("./diagnosis.ts");
      return await serviceDiagnosis(places)(error, isSilent);
    },
    async condition(name, limit) {
      const { probeKeyring } = await import("./probe.ts");
      return await probeKeyring(places(), name, limit);
    },
  };
}
