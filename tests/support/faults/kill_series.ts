import assert from "node:assert/strict";

/** Where a killed rotation was found to have stood. */
export type Phase = "before begin" | "begin to commit" | "after commit" | "done";

/** What a series of kills came to. */
export interface CrashReport {
  kills: number;
  /** Rotations that ended before their kill. */
  survived: number;
  phases: Record<Phase, number>;
}

/** A rotation that was to be killed: whether it was, and where it stood. */
export interface KilledRotation {
  readonly killed: boolean;
  readonly phase: Phase;
}

/** Kills a rotation right before a system call, or at a random time, and checks what it has left. */
export type KillOnce = (call: number | undefined) => Promise<KilledRotation>;

// About as many of them as a rotation makes: the last ones empty the write-ahead log.
const CALLS_OF_ROTATION = 150;

/** Kills rotations again and again, and counts. */
export class RotationKills {
  readonly report: CrashReport = {
    kills: 0,
    survived: 0,
    phases: { "before begin": 0, "begin to commit": 0, "after commit": 0, "done": 0 },
  };

  /**
   * Kills in turn right before the n-th system call (for every n if the kills suffice, else from the first to the
   * last in steps) and at a random time.
   */
  async run(kills: number, killOnce: KillOnce): Promise<void> {
    const step = Math.ceil(CALLS_OF_ROTATION / (kills / 2));
    const before = this.report.survived;
    for (let [count, call] = [0, 1]; count < kills;) {
      const byCall = count % 2 === 0;
      const { killed } = await this.#kill(killOnce, byCall ? call : undefined);
      if (byCall) call = killed ? call + step : 1;
      count += Number(killed);
      const survived = this.report.survived - before;
      assert.ok(survived <= 2 * kills + 10, "the kills must reach the program");
    }
  }

  /**
   * A few kills may all miss the short time between begin and commit, or what follows: halves the calls between the last
   * one before and the first one after, until there was one in each.
   */
  async reachAll(killOnce: KillOnce): Promise<void> {
    for (let [before, after] = [0, 2 * CALLS_OF_ROTATION]; !this.#hasAll() && after - before > 1;) {
      const call = Math.floor((before + after) / 2);
      const { phase } = await this.#kill(killOnce, call);
      if (phase === "before begin") before = call;
      else after = call;
    }
  }

  #hasAll(): boolean {
    const { phases } = this.report;
    return phases["begin to commit"] > 0 && phases["after commit"] + phases.done > 0;
  }

  async #kill(killOnce: KillOnce, call: number | undefined): Promise<KilledRotation> {
    const ended = await killOnce(call);
    this.report.kills += Number(ended.killed);
    this.report.survived += Number(!ended.killed);
    this.report.phases[ended.phase]++;
    return ended;
  }
}
