import { catchUp } from "../cluster/catch_up.ts";
import { type Member, untilFollowed } from "../cluster/members.ts";
import { shareEnded } from "../cluster/revocations.ts";
import { knownFleet } from "../cluster/snapshot.ts";
import type { SessionRow } from "../store/sqlite/sessions.ts";
import type { Environment, Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { activateShared, type Activation, notShared, prepareShared } from "./prepared_rotation.ts";
import type { Changed } from "./rotation.ts";
import type { Use } from "./shared_version.ts";
import { isShared } from "./sharing.ts";

/** Who owns this machine's database. */
interface Owner {
  readonly environment: Environment;
  open(): Promise<{ installation: Installation }>;
  refresh(): void;
  underLock<T>(work: (installation: Installation) => Promise<T>, waitMs?: number): Promise<T>;
}

/** A machine as one of those that share a secret, if any do. Every method throws the codes of etcd and of fleets. */
export class FleetMember {
  #asked: Promise<unknown> | undefined;

  constructor(private readonly owner: Owner) {}

  /**
   * Makes sure that what others have done is known here. A command asks once, as it began; a program that goes on for
   * long is told of changes.
   */
  async mustBeKnown(): Promise<void> {
    const { installation } = await this.owner.open();
    if (!isShared(installation)) return;
    const { freshness } = this.owner.environment;
    if (freshness !== undefined) {
      return freshness.mustBeFresh(knownFleet(installation.meta)?.change ?? 0);
    }
    this.#asked ??= catchUp(installation).catch((error) => {
      this.#asked = undefined;
      throw error;
    });
    await this.#asked;
  }

  /** Takes over what others have done; answers whether there was anything. */
  async catchUp(): Promise<boolean> {
    const { installation } = await this.owner.open();
    return isShared(installation) && await catchUp(installation);
  }

  /**
   * Publishes the version that is to follow; nothing verifies with it yet.
   *
   * @returns the version, and whether this call made it.
   * @throws {RekeyError} `failed` when the secret is not shared.
   */
  prepare(
    reason?: string,
    lockTimeoutMs?: number,
    use: Use = {},
  ): Promise<{ version: Version; made: boolean }> {
    return this.#underLock(
      (installation) => prepareShared(installation, reason ?? null, use),
      lockTimeoutMs,
    );
  }

  /**
   * Makes the prepared version the current one.
   *
   * @throws {RekeyError} `check_failed` when a server has not confirmed that it holds it, unless `force`d; `failed`
   * when none is prepared, or the secret is not shared.
   */
  activate(options: Activation & { lockTimeoutMs?: number } = {}): Promise<Changed> {
    return this.#underLock(
      (installation) => activateShared(installation, options),
      options.lockTimeoutMs,
    );
  }

  /**
   * Tells others of sessions that are to end before their time.
   *
   * @param find the sessions, at a moment in milliseconds since the epoch.
   * @returns how many were told of; when it throws, some may have been.
   */
  async shareEnded(
    find: (installation: Installation, now: number) => readonly SessionRow[],
  ): Promise<number> {
    const { installation } = await this.owner.open();
    if (!isShared(installation)) return 0;
    const sessions = find(installation, installation.now());
    await shareEnded(installation, sessions);
    return sessions.length;
  }

  /** Waits until every server goes by what etcd holds now; answers those that have not confirmed it in time. */
  async untilFollowed(waitMs: number): Promise<Member[]> {
    const { installation } = await this.owner.open();
    if (!isShared(installation)) return [];
    // A change of our own may stand in etcd and not have been taken over.
    await catchUp(installation);
    const change = knownFleet(installation.meta)?.change ?? 0;
    return await untilFollowed(installation, change, waitMs);
  }

  /** The database as it is now, if the current version is shared. */
  async installation(): Promise<Installation | undefined> {
    this.owner.refresh();
    const { installation } = await this.owner.open();
    return isShared(installation) ? installation : undefined;
  }

  #underLock<T>(work: (installation: Installation) => Promise<T>, waitMs?: number): Promise<T> {
    return this.owner.underLock(async (installation) => {
      if (!isShared(installation)) throw notShared();
      return await work(installation);
    }, waitMs);
  }
}
