import { randomBytes } from "node:crypto";
import { asRefusal, type ErrorCode, isRekeyError } from "../core/errors.ts";
import type { EtcdClient } from "../etcd/client.ts";
import type { Installation } from "../store/installation.ts";
import { catchUp } from "./catch_up.ts";
import type { SharedFreshness } from "./freshness.ts";
import { memberNow, register, type ReportDeliveries } from "./members.ts";
import { knownFleet } from "../store/sqlite/meta.ts";
import { keysOf } from "./snapshot.ts";

/** What a {@linkcode FleetFollower} needs of the server around it. */
export interface FollowerOptions {
  /** The present installation; `undefined` when there is no secret or it is not shared. */
  installation(): Promise<Installation | undefined>;
  readonly freshness: SharedFreshness;
  /** Receives the code of the error that prevents following, and `undefined` when following works again. */
  onTrouble(code: string | undefined): void;
  /** Receives an unexpected error; following has stopped. */
  onBug(error: unknown): void;
  /** Version of the program. */
  readonly version: string;
  /** How far deliveries of this machine are, for the other ones. */
  readonly reportDeliveries?: ReportDeliveries | undefined;
}

interface Lease {
  /** The client that made it: after this machine leaves the fleet, the installation has none. */
  readonly client: EtcdClient;
  readonly id: string;
}

/** How many times etcd is read within the maximum staleness. */
const READS_PER_STALENESS = 5;
const [LEAST_MS, MOST_MS] = [200, 60_000];

/** Least maximum staleness: a shorter one would need reads more often than every `LEAST_MS`. */
export const LEAST_STALENESS_MS = READS_PER_STALENESS * LEAST_MS;

// Limits reads: each logout wakes every server, and so does each token of a prepared version.
const BETWEEN_MS = 75;

// A lease must outlast the maximum staleness. A leader that was cut off may renew a lease after the next leader was
// elected, which does not know of the renewal.
const ELECTION_S = 3;

/**
 * Makes a server's machine follow its fleet. A watch reports changes at once; regular reads confirm the state, since a
 * watch that lost its connection reports nothing.
 */
export class FleetFollower {
  readonly #id = randomBytes(9).toString("base64url");
  readonly #since = Date.now();
  readonly #everyMs: number;
  readonly #stop = new AbortController();
  #wake = Promise.withResolvers<void>();
  #lease: Lease | undefined;
  #registered: string | undefined;
  #showing = Promise.resolve();
  #onChange = () => {};
  #watch: StateWatch | undefined;
  #looking = Promise.resolve();
  #looked = -Infinity;
  #next: Promise<void> | undefined;
  #trouble: string | undefined;

  constructor(private readonly options: FollowerOptions) {
    const { maxStalenessMs } = options.freshness;
    this.#everyMs = Math.min(Math.max(maxStalenessMs / READS_PER_STALENESS, LEAST_MS), MOST_MS);
  }

  /** Follows the fleet until {@linkcode stop}. Resolves after the first read. */
  async start(): Promise<void> {
    await this.lookNow();
    this.#go().catch(this.options.onBug);
  }

  /** Sets what is called when a change was found. */
  onChange(act: () => void): void {
    this.#onChange = act;
  }

  /** Tells other machines what is different on this one: call it after work on deliveries. */
  async report(): Promise<void> {
    if (this.#registered === undefined || this.#stop.signal.aborted) return;
    try {
      const installation = await this.options.installation();
      if (installation !== undefined) await this.#show(installation);
    } catch (error) {
      // The next look tries it too, and tells.
      asRefusal(error);
    }
  }

  /** Stops, and removes this server from the fleet's list. Call it when the server accepts no more tokens. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.resolve();
    // Its error went to the caller of lookNow().
    await this.#looking.catch(() => {});
    await this.#leave();
  }

  async #go(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#pause();
      if (!this.#stop.signal.aborted) await this.lookNow();
    }
  }

  /** Reads etcd. If etcd responds, every change committed before the call is known afterwards. */
  lookNow(): Promise<void> {
    return this.#next ??= this.#looking.then(async () => {
      await this.#rest();
      this.#next = undefined;
      return this.#looking = this.#look();
    });
  }

  // The first read after a quiet time is immediate.
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
      // Destroyed: no token can verify.
      if (isRekeyError(error, "not_initialised")) await this.#leave();
      this.#tell(asRefusal(error).code);
    }
  }

  // Other machines do not wait for a machine with a local secret or none.
  async #leave(): Promise<void> {
    this.#stopWatching();
    if (this.#lease === undefined) return;
    // The machine may rejoin before the next read.
    this.options.freshness.forget();
    const { client, id } = this.#lease;
    const refusal = await client.revoke(id).catch(asRefusal);
    if (!isRekeyError(refusal, "etcd_unavailable")) this.#lease = undefined;
    this.#registered = undefined;
  }

  async #keepUp(installation: Installation): Promise<void> {
    // Taken before the lease is renewed: a machine that rotates and waits must find this server on the list for as long
    // as it accepts tokens.
    const [steady, system] = [performance.now(), Date.now()];
    await this.#holdLease(installation);
    const overtaken = await catchUp(installation);
    // An etcd member that is cut off from the others reports nothing: watch another one.
    if (this.#watch?.isStalled(overtaken)) this.#stopWatching();
    // After the read, which logs in again if needed.
    await this.#watchState(installation);
    this.options.freshness.confirm(steady, system, knownFleet(installation.meta)?.change ?? 0);
    if (overtaken) this.#onChange();
    await this.#show(installation);
  }

  async #holdLease(installation: Installation): Promise<void> {
    const { client } = await installation.shared();
    // A silent connection must not keep this server from a good one until what it knows is too old.
    client.answerWithin(this.options.freshness.maxStalenessMs / 2);
    if (this.#lease === undefined || !await client.keepAlive(this.#lease.id)) {
      this.#registered = undefined;
      const seconds = Math.ceil(this.options.freshness.maxStalenessMs / 1000) + ELECTION_S;
      this.#lease = { client, id: await client.grant(seconds) };
    }
    // A server that is not on the list must accept nothing.
    if (this.#registered === undefined) await this.#show(installation);
  }

  /** Registers this server's state, unless it is registered already. One at a time: an older state comes never last. */
  #show(installation: Installation): Promise<void> {
    const shown = this.#showing.then(() => this.#showNow(installation));
    // Its error goes to the caller.
    this.#showing = shown.catch(() => {});
    return shown;
  }

  async #showNow(installation: Installation): Promise<void> {
    const { freshness, version, reportDeliveries } = this.options;
    const run = {
      id: this.#id,
      since: this.#since,
      max_staleness: freshness.maxStalenessMs,
      rekey: version,
    };
    const member = await memberNow(installation, run, reportDeliveries);
    const text = JSON.stringify(member);
    const lease = this.#lease;
    if (text === this.#registered || lease === undefined) return;
    await register(installation, member, lease.id);
    this.#registered = text;
  }

  async #watchState(installation: Installation): Promise<void> {
    if (this.#watch !== undefined) return;
    const store = await installation.shared();
    const { state } = keysOf(store, installation.environment.app.name);
    const watch = this.#watch = new StateWatch(() => this.#wake.resolve());
    store.client.watch(
      state,
      () => watch.notify(),
      AbortSignal.any([watch.signal, this.#stop.signal]),
    )
      .catch(asRefusal)
      .finally(() => {
        // Another watch may have replaced it.
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

/** A watch on the shared state, and whether it still reports changes. */
class StateWatch {
  readonly #closing = new AbortController();
  #reported = false;
  #missingSince: number | undefined;
  readonly #since = performance.now();

  /** @param onChange called for each change. */
  constructor(private readonly onChange: () => void) {}

  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  notify(): void {
    this.#reported = true;
    this.#missingSince = undefined;
    this.onChange();
  }

  /** Whether it lasted long enough to be opened again at once. */
  get isTried(): boolean {
    return performance.now() - this.#since >= LATE_MS;
  }

  close(): void {
    this.#closing.abort();
  }

  /**
   * Call it after each read: whether the watch has missed a change for too long. A read may be faster than the watch,
   * whose event is then still on its way.
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
