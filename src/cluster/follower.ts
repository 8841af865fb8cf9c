import { randomBytes } from "node:crypto";
import { asRefusal, type ErrorCode, isRekeyError } from "../core/errors.ts";
import type { EtcdClient } from "../etcd/client.ts";
import type { Installation } from "../store/installation.ts";
import { catchUp } from "./catch_up.ts";
import type { SharedFreshness } from "./freshness.ts";
import { memberNow, register } from "./members.ts";
import { knownFleet } from "../store/known_cluster.ts";
import { keysOf } from "./snapshot.ts";

/** What a {@linkcode FleetFollower} needs of the server around it. */
export interface FollowerOptions {
  /** The installation as it is now; `undefined` when there is none or its secret is not shared. */
  installation(): Promise<Installation | undefined>;
  readonly freshness: SharedFreshness;
  /** Told why the fleet cannot be followed, and `undefined` when it can again. */
  onTrouble(code: string | undefined): void;
  /** Told of a mistake in rekey: nothing is followed any more. */
  onBug(error: unknown): void;
  /** Version of the program. */
  readonly version: string;
}

interface Lease {
  /** Who has made it: a machine that has left its fleet has none any more. */
  readonly client: EtcdClient;
  readonly id: string;
}

/** How often etcd is asked at least, as a part of the time that may go by without an answer. */
const ASKED_TIMES = 5;
const [LEAST_MS, MOST_MS] = [200, 60_000];

/** The least that may go by without an answer: below it etcd would be asked more seldom than that allows. */
export const LEAST_STALENESS_MS = ASKED_TIMES * LEAST_MS;

// Each logout makes every server look, and whoever sends tokens of a prepared version makes this one.
const BETWEEN_MS = 75;

// A lease lasts longer than anything is accepted without an answer. A leader that was cut off may have let it start
// again after the next one was elected, which does not know of it.
const ELECTION_S = 3;

/**
 * Keeps a server's machine up with its fleet. A watch tells at once that something has changed; what is known is
 * confirmed by asking again and again, since a watch that is cut off says nothing.
 */
export class FleetFollower {
  readonly #id = randomBytes(9).toString("base64url");
  readonly #since = Date.now();
  readonly #everyMs: number;
  readonly #stop = new AbortController();
  #wake = Promise.withResolvers<void>();
  #lease: Lease | undefined;
  #registered: string | undefined;
  #watch: StateWatch | undefined;
  #looking = Promise.resolve();
  #looked = -Infinity;
  #next: Promise<void> | undefined;
  #trouble: string | undefined;

  constructor(private readonly options: FollowerOptions) {
    const { maxStalenessMs } = options.freshness;
    this.#everyMs = Math.min(Math.max(maxStalenessMs / ASKED_TIMES, LEAST_MS), MOST_MS);
  }

  /** Follows the fleet until it is stopped; begins with one look, for which it can be waited. */
  async start(): Promise<void> {
    await this.lookNow();
    this.#go().catch(this.options.onBug);
  }

  /** Stops, and takes this server off the fleet's list: once it accepts nothing any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.resolve();
    // What it may have failed of was told to who waited for it.
    await this.#looking.catch(() => {});
    await this.#leave();
  }

  async #go(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#pause();
      if (!this.#stop.signal.aborted) await this.lookNow();
    }
  }

  /** Asks etcd; afterwards everything is known that was committed before the call, if etcd has answered. */
  lookNow(): Promise<void> {
    return this.#next ??= this.#looking.then(async () => {
      await this.#rest();
      this.#next = undefined;
      return this.#looking = this.#look();
    });
  }

  // The first look after a quiet while is at once.
  async #rest(): Promise<void> {
    const left = this.#looked + BETWEEN_MS - performance.now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
    this.#looked = performance.now();
  }

  async #pause(): Promise<void> {
    const timer = setTimeout(() => this.#wake.resolve(), this.#everyMs);
    await this.#wake.promise;
    clearTimeout(timer);
    this.#wake = Promise.withResolvers();
  }

  async #look(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    try {
      const installation = await this.options.installation();
      if (installation === undefined) await this.#leave();
      else await this.#keepUp(installation);
      this.#tell(undefined);
    } catch (error) {
      this.#stopWatching();
      // Destroyed: there is nothing to accept by.
      if (isRekeyError(error, "not_initialised")) await this.#leave();
      this.#tell(asRefusal(error).code);
    }
  }

  // A machine with a secret of its own, or none, is not waited for by the others.
  async #leave(): Promise<void> {
    this.#stopWatching();
    if (this.#lease === undefined) return;
    // It may come back before it is looked for again.
    this.options.freshness.forget();
    const { client, id } = this.#lease;
    const refusal = await client.revoke(id).catch(asRefusal);
    if (!isRekeyError(refusal, "etcd_unavailable")) this.#lease = undefined;
    this.#registered = undefined;
  }

  async #keepUp(installation: Installation): Promise<void> {
    // From before the lease is renewed: whoever has rotated and waits must find this server on the list for as long as
    // it accepts anything.
    const [steady, system] = [performance.now(), Date.now()];
    await this.#holdLease(installation);
    const overtaken = await catchUp(installation);
    // A member that is cut off from the others tells nothing: another one is listened to.
    if (this.#watch?.isStalled(overtaken)) this.#stopWatching();
    // After etcd was asked, which logs in again where that is needed.
    this.#watchState(installation);
    this.options.freshness.confirm(steady, system, knownFleet(installation.meta)?.change ?? 0);
    await this.#show(installation);
  }

  async #holdLease(installation: Installation): Promise<void> {
    const { client } = installation.shared();
    if (this.#lease === undefined || !await client.keepAlive(this.#lease.id)) {
      this.#registered = undefined;
      const seconds = Math.ceil(this.options.freshness.maxStalenessMs / 1000) + ELECTION_S;
      this.#lease = { client, id: await client.grant(seconds) };
    }
    // Nothing is accepted by who is not on the list.
    if (this.#registered === undefined) await this.#show(installation);
  }

  /** Shows what this machine goes by, if that is not what is shown already. */
  async #show(installation: Installation): Promise<void> {
    const { freshness, version } = this.options;
    const member = await memberNow(installation, {
      id: this.#id,
      since: this.#since,
      max_staleness: freshness.maxStalenessMs,
      rekey: version,
    });
    const text = JSON.stringify(member);
    if (text === this.#registered) return;
    await register(installation, member, this.#lease!.id);
    this.#registered = text;
  }

  #watchState(installation: Installation): void {
    if (this.#watch !== undefined) return;
    const store = installation.shared();
    const { state } = keysOf(store, installation.environment.app.name);
    const watch = this.#watch = new StateWatch(() => this.#wake.resolve());
    store.client.watch(
      state,
      () => watch.notify(),
      AbortSignal.any([watch.signal, this.#stop.signal]),
    )
      .catch(asRefusal)
      .finally(() => {
        // Another one may have taken its place.
        if (this.#watch !== watch) return;
        this.#watch = undefined;
        if (watch.isTried) this.#wake.resolve();
      });
  }

  #stopWatching(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }

  #tell(code: ErrorCode | undefined): void {
    this.options.freshness.trouble(code);
    if (code !== this.#trouble) this.options.onTrouble(code);
    this.#trouble = code;
  }
}

// A watch reports a change within milliseconds; a busy machine takes longer.
const LATE_MS = 1_000;

/** One watch on etcd, and whether it still reports changes. */
class StateWatch {
  readonly #closing = new AbortController();
  #reported = false;
  #missingSince: number | undefined;
  readonly #since = performance.now();

  /** @param onChange is called for each change that it reports. */
  constructor(private readonly onChange: () => void) {}

  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  notify(): void {
    this.#reported = true;
    this.#missingSince = undefined;
    this.onChange();
  }

  /** Whether it has lasted a while: one that ends at once would do so again. */
  get isTried(): boolean {
    return performance.now() - this.#since >= LATE_MS;
  }

  close(): void {
    this.#closing.abort();
  }

  /**
   * Asked after each read of etcd: whether the watch has missed a change for too long. A read may be faster than the
   * watch, whose event is then on its way.
   *
   * @param overtaken whether the read found a change.
   */
  isStalled(overtaken: boolean): boolean {
    const now = performance.now();
    if (overtaken && !this.#reported) this.#missingSince ??= now;
    this.#reported = false;
    return this.#missingSince !== undefined && now - this.#missingSince >= LATE_MS;
  }
}
