import type { Secret } from "../core/secret.ts";
import { SingleFlight } from "../core/async.ts";
import { knownFleet } from "../cluster/snapshot.ts";
import { type Environment, Installation } from "../store/installation.ts";
import type { TokenPolicy } from "../store/token_policy.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { notInitialised } from "./errors.ts";

// A request that waits holds up all others of its thread, and a proxy gives up sooner than SQLite.
const WAIT_MS = 100;

/** What verifies at one moment. */
export interface View {
  readonly installation: Installation;
  readonly policy: TokenPolicy;
  /** Differs after every commit to the database, whoever made it. */
  readonly change: string;
  /** Differs when a signature may count for something else: other versions, algorithms or key forms. */
  readonly generation: string;
  /** The change of what machines share that it goes by. */
  readonly fleetChange: number;
  /** Versions that are current or have a grace window, the current one first. */
  readonly versions: readonly Version[];
}

/**
 * The secret's verifying side for a program that goes on for long (guarantee 4): each question is answered
 * from the database as it is at that moment, and values are kept only for as long as their version
 * verifies. It reads and never writes: finishing what others left, and the keyring, are not its business.
 */
export class LiveSecrets {
  #installation: Installation | undefined;
  #replaced: Installation | undefined;
  #opened = 0;
  #view: View | undefined;
  // What view() has answered since the event loop's last turn.
  #seen: View | undefined;
  readonly #values = new Map<string, Secret>();
  readonly #fetching = new SingleFlight<Secret>();

  /**
   * @param fetchValue gets a version's value from where it lives.
   * @param mustBeFresh throws when it is not known whether another machine has rotated a shared secret.
   */
  constructor(
    private readonly environment: Environment,
    private readonly fetchValue: (version: Version) => Promise<Secret>,
    private readonly mustBeFresh: (change: number) => void = () => {},
  ) {}

  /**
   * What verifies now. It costs a look at the file and at SQLite's change counter, unless something has changed.
   *
   * It looks once for all requests that the runtime hands over in one go: all of them had arrived before, so a
   * rotation that ended before one of them was sent is seen.
   *
   * @throws {RekeyError} `not_initialised` when there is no secret, another code with exit status 4 when
   * the database cannot be used.
   */
  view(): View {
    if (this.#seen === undefined) {
      this.#seen = this.#lookAgain();
      queueMicrotask(this.#forget);
    }
    return this.#seen;
  }

  readonly #forget = () => {
    this.#seen = undefined;
  };

  #lookAgain(): View {
    if (this.#installation?.wasReplaced()) this.#setAside(this.#installation);
    const installation = this.#installation ??= this.#open();
    // Asked before the rows are read: a commit in between makes this view old at once, not new for ever.
    const change = `${this.#opened}.${installation.database.change()}`;
    if (this.#view?.change !== change) this.#view = this.#look(installation, change);
    return this.#isKnown(this.#view) ? this.#view : this.#lookAgain();
  }

  /** @throws {RekeyError} when it is not known that nothing newer is shared; answers false when there is something newer. */
  #isKnown({ versions, installation, fleetChange, change }: View): boolean {
    if (versions[0]!.location !== "etcd") return true;
    try {
      this.mustBeFresh(fleetChange);
      return true;
    } catch (error) {
      // The thread that keeps up with the fleet may have committed a change since, and said so.
      if (change === `${this.#opened}.${installation.database.change()}`) throw error;
      return false;
    }
  }

  look(): View {
    return { ...this.view(), versions: this.verifyingNow() };
  }

  /** A value that was fetched before. */
  keptValue({ kid }: Version): Secret | undefined {
    return this.#values.get(kid);
  }

  /** Versions whose tokens verify now: the current one, then those inside a grace window. */
  verifyingNow(): readonly Version[] {
    const { installation, versions } = this.view();
    if (versions.length === 1) return versions;
    const now = installation.now();
    return versions.filter(({ state, grace_until }) =>
      state === "current" || (grace_until ?? 0) > now
    );
  }

  /** The version that a kid names, whatever its state. */
  // deno-lint-ignore require-await
  async versionByKid(kid: string): Promise<Version | undefined> {
    return this.view().installation.versions.byKid(kid);
  }

  /** The value of a version, for verification. */
  async valueOf(version: Version): Promise<{ secret: Secret }> {
    const kept = this.#values.get(version.kid);
    if (kept !== undefined) return { secret: kept };
    const secret = await this.#fetching.once(version.kid, () => this.fetchValue(version));
    // A rotation in between has made it a value that nobody must keep.
    if (this.view().versions.some(({ kid }) => kid === version.kid)) {
      this.#values.set(version.kid, secret);
    }
    return { secret };
  }

  close(): void {
    if (this.#installation !== undefined) this.#setAside(this.#installation);
    this.#replaced?.close();
    this.#replaced = undefined;
  }

  // A verification may be in the midst of using it, so it is closed only after the next one.
  #setAside(installation: Installation): void {
    this.#replaced?.close();
    this.#replaced = installation;
    this.#installation = undefined;
    this.#view = undefined;
    this.#values.clear();
  }

  #open(): Installation {
    const installation = Installation.openExisting(this.environment, { waitMs: WAIT_MS });
    if (installation === undefined) throw notInitialised(this.environment.app.name);
    this.#opened++;
    return installation;
  }

  #look(installation: Installation, change: string): View {
    const { versions } = installation;
    const current = versions.current();
    // An empty database has no settings either, and is none that was damaged.
    if (current === undefined) throw notInitialised(this.environment.app.name);
    installation.mustHaveSettings();
    const { policy } = installation;
    const rows = [current, ...versions.previous()];
    for (const kid of this.#values.keys()) {
      if (!rows.some((row) => row.kid === kid)) this.#values.delete(kid);
    }
    const states = rows.map((row) => [
      row.version,
      row.kid,
      row.state,
      row.grace_until,
      row.alg,
      row.key_form,
    ]);
    const generation = JSON.stringify(states);
    const fleetChange = knownFleet(installation.meta)?.change ?? 0;
    return { installation, policy, change, generation, fleetChange, versions: rows };
  }
}
