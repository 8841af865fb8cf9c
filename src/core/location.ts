import type { Secret } from "./secret.ts";

/** Where the value of a version is stored. */
export const LOCATIONS = ["keyring", "database", "etcd"] as const;
export type Location = (typeof LOCATIONS)[number];

/** The location as a noun phrase, for messages. */
export function placeName(location: Location): string {
  return location === "etcd" ? location : `the ${location}`;
}

/**
 * An entry in a store. The current version has a fixed name, under which other programs read it; other versions have
 * their number in the name.
 */
export interface Slot {
  readonly version: number;
  readonly kid: string;
  readonly name: "current" | "numbered";
}

export function currentSlot({ version, kid }: Omit<Slot, "name">): Slot {
  return { version, kid, name: "current" };
}

export function numberedSlot({ version, kid }: Omit<Slot, "name">): Slot {
  return { version, kid, name: "numbered" };
}

/** The slot of a version's sealed value in the database. */
export function sealedSlot(version: Omit<Slot, "name"> & { readonly state: string }): Slot {
  return version.state === "current" ? currentSlot(version) : numberedSlot(version);
}

/** The name of a slot: `base`, or `base.v3` for version 3. */
export function slotName(base: string, slot: Slot): string {
  return slot.name === "current" ? base : `${base}.v${slot.version}`;
}

/** Stores the values of versions. */
export interface SecretStore {
  readonly location: Location;
  /**
   * @param meanwhile called while the store waits for another program; must not throw.
   * @returns `null` if the slot is empty.
   * @throws {RekeyError} if the store cannot be read, or the value is damaged.
   */
  read(slot: Slot, meanwhile?: () => void): Promise<Secret | null>;
  /** Writes a value, over an existing one. */
  write(slot: Slot, secret: Secret): Promise<void>;
  /** Deletes a value. @returns whether it existed. */
  remove(slot: Slot): Promise<boolean>;
}
