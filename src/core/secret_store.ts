import type { Secret } from "./secret.ts";

/** Where a version's value lives. */
export type Location = "keyring" | "database" | "etcd";

/** A location in a sentence. */
export function placeName(location: Location): string {
  return location === "etcd" ? location : `the ${location}`;
}

/**
 * A place inside a location. The current version's value has a name of its own, since other programs
 * read it there; every other version is kept under its number.
 */
export interface Slot {
  readonly version: number;
  readonly kid: string;
  readonly name: "current" | "numbered";
}

/** The slot that other programs read. */
export function currentSlot({ version, kid }: Omit<Slot, "name">): Slot {
  return { version, kid, name: "current" };
}

/** The slot that bears the version's number. */
export function numberedSlot({ version, kid }: Omit<Slot, "name">): Slot {
  return { version, kid, name: "numbered" };
}

/** Where the database keeps the sealed value of a version in its present state. */
export function sealedSlot(version: Omit<Slot, "name"> & { readonly state: string }): Slot {
  return version.state === "current" ? currentSlot(version) : numberedSlot(version);
}

/** The name of a slot: `base` itself, or with the version's number after it. */
export function slotName(base: string, slot: Slot): string {
  return slot.name === "current" ? base : `${base}.v${slot.version}`;
}

/** A place where values live. "Not there" is a value; a throw means that the store cannot answer. */
export interface SecretStore {
  readonly location: Location;
  /**
   * @param meanwhile is done while the store waits for somebody else, if it does; it must not throw.
   * @throws {RekeyError} when the store cannot be read or what it holds is no secret.
   */
  read(slot: Slot, meanwhile?: () => void): Promise<Secret | null>;
  /** Keeps a value, in place of any that is there. */
  write(slot: Slot, secret: Secret): Promise<void>;
  /** Answers whether there was one. */
  remove(slot: Slot): Promise<boolean>;
}
