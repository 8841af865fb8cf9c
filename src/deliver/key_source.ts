import { asRefusal, RekeyError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { inGrace, isOpenAt } from "../secret/grace.ts";
import type { SecretManager } from "../secret/manager.ts";
import { notInitialised } from "../secret/view.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { VersionSet } from "./delivery.ts";
import { type DeliveredKey, deliveredKey, type DeliveredKeys } from "./key_set.ts";

/** The next version of a rotation that is not committed yet. */
export interface PendingKey {
  readonly version: Version;
  readonly secret: Secret;
}

/**
 * The versions that programs must know now, as of one moment.
 *
 * @param pending the next version of this process's own rotation. One that another process has begun does not count.
 */
export function versionsNow(
  installation: Installation,
  pending?: Pick<PendingKey, "version">,
): VersionSet<Version> {
  const { database, versions, environment: { app } } = installation;
  return database.snapshot(() => {
    const current = versions.current();
    if (current === undefined) throw notInitialised(app.name);
    // Verifiers have it before anything signs with it. A rotation of another process does not count.
    const prepared = pending?.version ?? versions.prepared();
    return { current, prepared, previous: inGrace(installation) };
  });
}

/** Reads the values of versions, each at most once. */
export class KeySource {
  readonly #keys = new Map<string, Promise<DeliveredKey | RekeyError>>();

  constructor(private readonly secrets: SecretManager, private readonly pending?: PendingKey) {}

  /**
   * A set of versions with their values, without those whose grace windows end meanwhile.
   *
   * @throws {RekeyError} with exit status 4 when a value cannot be read.
   */
  async keysOf({ current, prepared, previous }: VersionSet<Version>): Promise<DeliveredKeys> {
    const [now, next, ...before] = await Promise.all([
      this.#key(current),
      prepared && this.#key(prepared),
      ...previous.map((row) => this.#keyInGrace(row)),
    ]);
    return { current: now, prepared: next, previous: before.filter((key) => key !== undefined) };
  }

  async #keyInGrace(row: Version): Promise<DeliveredKey | undefined> {
    try {
      return await this.#key(row);
    } catch (error) {
      const { installation } = await this.secrets.open();
      if (isOpenAt(row, installation.now())) throw error;
      return undefined;
    }
  }

  async #key(row: Version): Promise<DeliveredKey> {
    const known = this.#keys.get(row.kid) ?? this.#read(row);
    this.#keys.set(row.kid, known);
    const key = await known;
    if (key instanceof RekeyError) throw key;
    return key;
  }

  // A failure is kept too: a locked keyring is asked once, not once for each delivery.
  async #read(row: Version): Promise<DeliveredKey | RekeyError> {
    try {
      const secret = this.pending?.version.kid === row.kid
        ? this.pending.secret
        : (await this.secrets.valueOf(row, "deliver")).secret;
      return deliveredKey(row, secret);
    } catch (error) {
      return asRefusal(error);
    }
  }
}
