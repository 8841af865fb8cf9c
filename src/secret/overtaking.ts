import { randomUUID } from "node:crypto";
import { abortedWhen } from "../core/async.ts";
import { asRefusal } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import type { Turn } from "../store/sqlite/turn.ts";
import type { Changed, RotateOptions, RotationOrder } from "./backend.ts";
import { dropMark, overtaken } from "./recover.ts";

/**
 * A rotation that lets others have the lock while programs follow, so that an incident can overtake it. A row of the
 * database is its mark: an incident deletes it under the lock, and so does whoever follows one of another machine.
 */
class Overtakable {
  readonly #id = randomUUID();
  #isMarked = false;

  constructor(private readonly installation: Installation, private readonly turn: Turn) {}

  /**
   * Runs work without the lock; its signal aborts when an incident overtakes the rotation. Call it under the lock.
   *
   * @throws {RekeyError} `overtaken` when one has; `busy` when the lock does not become free again.
   */
  async whileFollowing(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.mustStand();
    this.#mark();
    try {
      await this.turn.released(() => abortedWhen(() => !this.#stands(), work));
    } catch (error) {
      this.mustStand();
      throw error;
    }
    this.mustStand();
  }

  /** @throws {RekeyError} `overtaken` when an incident has overtaken the rotation. */
  mustStand(): void {
    if (this.#isMarked && !this.#stands()) throw overtaken();
  }

  /** Deletes the mark. Call it when the rotation has ended, in whatever way. */
  end(): void {
    try {
      if (this.#isMarked && this.#stands()) dropMark(this.installation);
    } catch (error) {
      // Without its process it means nothing.
      asRefusal(error);
    }
  }

  #mark(): void {
    if (this.#isMarked) return;
    const { database, meta } = this.installation;
    database.transaction(() => meta.set("following", this.#id));
    this.#isMarked = true;
  }

  #stands(): boolean {
    return this.installation.meta.get("following") === this.#id;
  }
}

/**
 * Rotates in such a way that others may have the lock while programs follow.
 *
 * @param rotate makes the rotation, under the lock.
 * @throws {RekeyError} as `rotate` does; `overtaken`.
 */
export async function rotateOvertakably(
  turn: Turn,
  installation: Installation,
  { beforeCommit, permit, ...options }: RotateOptions,
  rotate: (order: RotationOrder) => Promise<Changed>,
): Promise<Changed> {
  const rotation = new Overtakable(installation, turn);
  try {
    return await rotate({
      ...options,
      beforeCommit: (next, secret) =>
        rotation.whileFollowing(async (signal) => await beforeCommit?.(next, secret, signal)),
      // Machines that share a secret try again after a conflict, which an incident may have been.
      async permit() {
        rotation.mustStand();
        await permit?.();
      },
    });
  } finally {
    rotation.end();
  }
}
