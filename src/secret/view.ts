import type { LiveKeySet } from "../jwt/cached_verifier.ts";
import { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import { knownFleet } from "../store/sqlite/meta.ts";
import { EndedSessions } from "../store/sqlite/ended_sessions.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { holdsAt, type Verifying, verifyingAt } from "./grace.ts";
import { RekeyError } from "../core/errors.ts";

// A waiting request blocks its thread's other requests, and a proxy times out sooner than SQLite.
const WAIT_MS = 100;

/** The versions and settings for verification, at one time. */
export interface View extends LiveKeySet {
  readonly installation: Installation;
  /** The last change of the shared state that this machine has followed. */
  readonly fleetChange: number;
  /** Versions that are current or have a grace window, the current one first. */
  readonly versions: readonly Version[];
  /** The next version, if verifiers are to know its key already. */
  readonly prepared: Version | undefined;
  readonly ended: EndedSessions;
}

/**
 * Which versions verify now, read from the database (guarantee 4). It never writes, and uses neither the keyring nor
 * etcd.
 */
export class SecretView {
  #installation: Installation | undefined;
  #replaced: Installation | undefined;
  #opened = 0;
  #view: View | undefined;
  #verifying: Verifying | undefined;
  // Result of view() until the next turn of the event loop.
  #seen: View | undefined;

  /** @param mustBeFresh throws when another machine may have rotated a shared secret. */
  constructor(
    readonly environment: Environment,
    private readonly mustBeFresh: (change: number) => void = () => {},
  ) {}

  /** The database that is open, if one is. */
  get installation(): Installation | undefined {
    return this.#installation;
  }

  /** Continues with a database that was opened elsewhere, or none. */
  use(installation: Installation | undefined): void {
    if (installation === this.#installation) return;
    this.setAside();
    this.#installation = installation;
    this.#opened++;
  }

  /**
   * What verifies now. Without a change it costs a read of SQLite's change counter, and each millisecond a `stat`.
   *
   * The result is shared by all requests that arrive in one turn of the event loop: a rotation that ended before any of
   * them was sent is seen.
   *
   * @throws {RekeyError} `not_initialised` without a secret, another code with exit status 4 when the database cannot be
   * used.
   */
  view(): View {
    if (this.#seen === undefined) {
      this.#seen = this.#lookAgain();
      queueMicrotask(this.#forget);
    }
    return this.#seen;
  }

  // Of the database that is there when it is asked: a token may have waited for its key meanwhile.
  readonly #isRevoked = (jti: string) => this.view().ended.has(jti);

  readonly #forget = () => {
    this.#seen = undefined;
  };

  /** {@linkcode view}, with the versions whose tokens verify now. */
  look(): View {
    const [view, versions] = [this.view(), this.verifyingNow()];
    return versions === view.versions ? view : { ...view, versions };
  }

  /**
   * Versions whose tokens verify now: the current one, then those inside a grace window. It is the same list as long as
   * they are the same: each request asks for it, and there may be many windows.
   */
  verifyingNow(): readonly Version[] {
    const { installation, versions } = this.view();
    if (versions.length === 1) return versions;
    const now = installation.now();
    if (!holdsAt(this.#verifying, versions, now)) this.#verifying = verifyingAt(versions, now);
    return this.#verifying.versions;
  }

  /** The version whose tokens have a kid, in any state. */
  // deno-lint-ignore require-await
  async versionByKid(kid: string): Promise<Version | undefined> {
    return this.view().installation.versions.byTokenKid(kid);
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

  /** Called with each view that differs from the one before. */
  protected changed(_view: View): void {}

  // It may still be in use, so it is closed when the next one is set aside.
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
    // Before the rows are read: after a commit in between, this view counts as old.
    const change = this.#changeOf(installation);
    if (this.#view?.change !== change) {
      this.changed(this.#view = read(installation, change, this.#isRevoked));
    }
    return this.#isKnown(this.#view) ? this.#view : this.#lookAgain();
  }

  /** Whether the view is fresh; `false` after a newer commit. @throws {RekeyError} `fleet_stale`. */
  #isKnown({ versions, installation, fleetChange, change }: View): boolean {
    if (versions[0]!.location !== "etcd") return true;
    try {
      this.mustBeFresh(fleetChange);
      return true;
    } catch (error) {
      // The thread that follows etcd may have committed a change meanwhile.
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

/** The view of one moment: a rotation that commits meanwhile is in all of it or in none. */
function read(
  installation: Installation,
  change: string,
  isRevoked: (jti: string) => boolean,
): View {
  return installation.database.snapshot(() => viewOf(installation, change, isRevoked));
}

function viewOf(
  installation: Installation,
  change: string,
  isRevoked: (jti: string) => boolean,
): View {
  installation.database.mustBeKnown();
  const current = installation.versions.current();
  // Before the settings, which an empty database lacks without being damaged.
  if (current === undefined) throw notInitialised(installation.environment.app.name);
  installation.mustHaveSettings();
  const { policy, meta } = installation;
  const versions = [current, ...installation.versions.previous()];
  const fleetChange = knownFleet(meta)?.change ?? 0;
  return {
    installation,
    policy,
    change,
    generation: generationOf(versions),
    fleetChange,
    versions,
    prepared: installation.versions.prepared(),
    now: installation.environment.clock,
    ended: new EndedSessions(installation.database, () => installation.database.change()),
    isRevoked,
  };
}

/** The same as long as no version changes what verifies. */
function generationOf(versions: readonly Version[]): string {
  const states = versions.map(({ version, kid, state, grace_until, alg, key_form, token_kid }) => {
    return [version, kid, state, grace_until, alg, key_form, token_kid];
  });
  return JSON.stringify(states);
}

/** The error for an app without a secret. */
export function notInitialised(app: string): RekeyError {
  return new RekeyError(
    "not_initialised",
    `Cannot find a JWT secret of app ${JSON.stringify(app)}`,
    {
      hint:
        "If there was one, bring it back with `rekey restore` (`rekey doctor` names the file); " +
        "else make one with `rekey init`",
    },
  );
}
