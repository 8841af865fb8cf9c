import { SingleFlight } from "../core/async.ts";
import type { LiveKeySet } from "../jwt/cached_verifier.ts";
import { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import { knownFleet } from "../store/known_cluster.ts";
import { isRevoked } from "../store/sqlite/ended_sessions.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { isOpenAt } from "./grace.ts";
import type { Secret } from "../core/secret.ts";
import { RekeyError } from "../core/errors.ts";

// A request that waits holds up all others of its thread, and a proxy gives up sooner than SQLite.
const WAIT_MS = 100;

/** What verifies at one instant. */
export interface View extends LiveKeySet {
  readonly installation: Installation;
  /** The change of what machines share that it goes by. */
  readonly fleetChange: number;
  /** Versions that are current or have a grace window, the current one first. */
  readonly versions: readonly Version[];
}

/**
 * The half of a secret that reads: which versions verify now, from the database as it is at that moment (guarantee 4).
 * It never writes, and asks neither the keyring nor etcd.
 */
export class SecretView {
  #installation: Installation | undefined;
  #replaced: Installation | undefined;
  #opened = 0;
  #view: View | undefined;
  // What view() has answered since the event loop's last turn.
  #seen: View | undefined;

  /** @param mustBeFresh throws when it is not known whether another machine has rotated a shared secret. */
  constructor(
    readonly environment: Environment,
    private readonly mustBeFresh: (change: number) => void = () => {},
  ) {}

  /** The database that is open, if one is. */
  get installation(): Installation | undefined {
    return this.#installation;
  }

  /** Goes on with a database that was opened elsewhere, or with none. */
  use(installation: Installation | undefined): void {
    if (installation === this.#installation) return;
    this.setAside();
    this.#installation = installation;
    this.#opened++;
  }

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

  /** {@linkcode view}, with the versions whose tokens verify now. */
  look(): View {
    return { ...this.view(), versions: this.verifyingNow() };
  }

  /** Versions whose tokens verify now: the current one, then those inside a grace window. */
  verifyingNow(): readonly Version[] {
    const { installation, versions } = this.view();
    if (versions.length === 1) return versions;
    const now = installation.now();
    return versions.filter((row) => row.state === "current" || isOpenAt(row, now));
  }

  /** The version with a kid, in any state. */
  // deno-lint-ignore require-await
  async versionByKid(kid: string): Promise<Version | undefined> {
    return this.view().installation.versions.byKid(kid);
  }

  /** Closes a database that was replaced at its path. */
  refresh(): void {
    if (this.#installation?.database.wasReplaced()) this.setAside();
  }

  close(): void {
    this.setAside();
    this.#replaced?.close();
    this.#replaced = undefined;
  }

  /** Takes a view that differs from the last one. */
  protected changed(_view: View): void {}

  // Something may be in the middle of using it, so it is closed only after the next one.
  protected setAside(): void {
    if (this.#installation === undefined) return;
    this.#replaced?.close();
    this.#replaced = this.#installation;
    this.#installation = this.#view = this.#seen = undefined;
  }

  #lookAgain(): View {
    this.refresh();
    if (this.#installation === undefined) this.use(this.#open());
    const installation = this.#installation!;
    // Asked before the rows are read: a commit in between makes this view old at once, not new for ever.
    const change = this.#changeOf(installation);
    if (this.#view?.change !== change) this.changed(this.#view = read(installation, change));
    return this.#isKnown(this.#view) ? this.#view : this.#lookAgain();
  }

  /** @throws {RekeyError} when it is not known that nothing newer is shared; `false` when there is something newer. */
  #isKnown({ versions, installation, fleetChange, change }: View): boolean {
    if (versions[0]!.location !== "etcd") return true;
    try {
      this.mustBeFresh(fleetChange);
      return true;
    } catch (error) {
      // The thread that follows etcd may have committed a change since, and said so.
      if (change === this.#changeOf(installation)) throw error;
      return false;
    }
  }

  #changeOf({ database }: Installation): string {
    return `${this.#opened}.${database.change()}`;
  }

  #open(): Installation {
    const { environment } = this;
    const installation = Installation.openExisting(environment, { waitMs: WAIT_MS });
    if (installation === undefined) throw notInitialised(environment.app.name);
    return installation;
  }
}

function read(installation: Installation, change: string): View {
  const current = installation.versions.current();
  // An empty database has no settings either, and is not one that was damaged.
  if (current === undefined) throw notInitialised(installation.environment.app.name);
  installation.mustHaveSettings();
  const { policy, meta } = installation;
  const versions = [current, ...installation.versions.previous()];
  const states = versions.map((row) => [
    row.version,
    row.kid,
    row.state,
    row.grace_until,
    row.alg,
    row.key_form,
  ]);
  const generation = JSON.stringify(states);
  const fleetChange = knownFleet(meta)?.change ?? 0;
  return {
    installation,
    policy,
    change,
    generation,
    fleetChange,
    versions,
    now: installation.environment.clock,
    isRevoked: (jti) => isRevoked(installation.database, jti),
  };
}

/** The reading half for a program that runs for long: it keeps values for as long as their version verifies. */
export class LiveSecrets extends SecretView {
  readonly #values = new Map<string, Secret>();
  readonly #fetching = new SingleFlight<Secret>();

  /**
   * @param fetchValue gets a version's value from where it lives.
   * @param mustBeFresh throws when it is not known whether another machine has rotated a shared secret.
   */
  constructor(
    environment: Environment,
    private readonly fetchValue: (version: Version) => Promise<Secret>,
    mustBeFresh?: (change: number) => void,
  ) {
    super(environment, mustBeFresh);
  }

  /** A value that was fetched before. */
  keptValue({ kid }: Version): Secret | undefined {
    return this.#values.get(kid);
  }

  /** The value of a version, for verification. */
  override async valueOf(version: Version): Promise<{ secret: Secret }> {
    const kept = this.#values.get(version.kid);
    if (kept !== undefined) return { secret: kept };
    const secret = await this.#fetching.once(version.kid, () => this.fetchValue(version));
    // A rotation in between has made it a value that must not be kept.
    if (this.view().versions.some(({ kid }) => kid === version.kid)) {
      this.#values.set(version.kid, secret);
    }
    return { secret };
  }

  protected override setAside(): void {
    super.setAside();
    this.#values.clear();
  }

  protected override changed({ versions }: View): void {
    for (const kid of this.#values.keys()) {
      if (!versions.some((row) => row.kid === kid)) this.#values.delete(kid);
    }
  }
}

/** No secret anywhere, and none was asked for. */
export function notInitialised(app: string): RekeyError {
  return new RekeyError(
    "not_initialised",
    `Cannot find a JWT secret of app ${JSON.stringify(app)}`,
    {
      hint: "Make one with `rekey init`",
    },
  );
}
