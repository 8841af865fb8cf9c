import { randomBytes } from "node:crypto";
import { asRefusal, isRekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { Installation } from "../store/installation.ts";
import { catchUp } from "./catch_up.ts";
import type { SharedKnowledge } from "./knowledge.ts";
import { type Member, register } from "./members.ts";
import { sealedSlot } from "../store/secret_store.ts";
import { keysOf, knownFleet } from "./snapshot.ts";

/** What a {@linkcode FleetKeeper} needs of the server around it. */
export interface KeeperOptions {
  /** The installation as it is now; `undefined` when there is none or its secret is not shared. */
  installation(): Promise<Installation | undefined>;
  readonly knowledge: SharedKnowledge;
  /** Told why the fleet cannot be followed, and `undefined` when it can again. */
  onTrouble(code: string | undefined): void;
  /** Told of a mistake in rekey: nothing is followed any more. */
  onBug(error: unknown): void;
  /** Version of the program. */
  readonly version: string;
}

/** How often etcd is asked at least, as a part of the time that may go by without an answer. */
const ASKED_TIMES = 5;
const [LEAST_MS, MOST_MS] = [200, 60_000];

// A lease lasts longer than anything is accepted without an answer. A leader that was cut off may have let it begin
// anew after the next one was elected, who does not know of it.
const ELECTION_S = 3;

/**
 * Keeps a server's machine up with its fleet. A watch tells at once that something has changed; what is known is
 * confirmed by asking again and again, since a watch that is cut off says nothing.
 */
export class FleetKeeper {
  readonly #id = randomBytes(9).toString("base64url");
  readonly #since = Date.now();
  readonly #everyMs: number;
  readonly #stop = new AbortController();
  #wake = Promise.withResolvers<void>();
  #lease: string | undefined;
  #registered: string | undefined;
  #watching = false;
  #heard = false;
  #unwatch = new AbortController();
  #looking = Promise.resolve();
  #next: Promise<void> | undefined;
  #trouble: string | undefined;

  constructor(private readonly options: KeeperOptions) {
    const { maxStalenessMs } = options.knowledge;
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
    await this.#looking;
    const installation = await this.options.installation().catch(asRefusal);
    if (this.#lease === undefined || !installation || isRekeyError(installation)) return;
    await installation.shared().client.revoke(this.#lease).catch(asRefusal);
  }

  async #go(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#pause();
      if (!this.#stop.signal.aborted) await this.lookNow();
    }
  }

  /** Asks etcd; afterwards everything is known that was committed before the call, if etcd has answered. */
  lookNow(): Promise<void> {
    return this.#next ??= this.#looking.then(() => {
      this.#next = undefined;
      return this.#looking = this.#look();
    });
  }

  async #pause(): Promise<void> {
    const timer = setTimeout(() => this.#wake.resolve(), this.#everyMs);
    await this.#wake.promise;
    clearTimeout(timer);
    this.#wake = Promise.withResolvers();
  }

  async #look(): Promise<void> {
    try {
      const installation = await this.options.installation();
      if (installation !== undefined) await this.#keepUp(installation);
      this.#tell(undefined);
    } catch (error) {
      this.#unwatch.abort();
      this.#tell(asRefusal(error).code);
    }
  }

  async #keepUp(installation: Installation): Promise<void> {
    // From before the lease begins anew: who has rotated and waits must find this server on the list for as long as
    // it accepts anything.
    const [steady, system] = [performance.now(), Date.now()];
    await this.#holdLease(installation);
    const overtaken = await catchUp(installation);
    // A member that is cut off from the others tells nothing: another one is listened to.
    if (overtaken && !this.#heard) this.#unwatch.abort();
    this.#heard = false;
    // After etcd was asked, which logs in anew where that is needed.
    this.#watch(installation);
    this.options.knowledge.confirm(steady, system);
    await this.#show(installation);
  }

  async #holdLease(installation: Installation): Promise<void> {
    const { client } = installation.shared();
    if (this.#lease === undefined || !await client.keepAlive(this.#lease)) {
      this.#registered = undefined;
      const seconds = Math.ceil(this.options.knowledge.maxStalenessMs / 1000) + ELECTION_S;
      this.#lease = await client.grant(seconds);
    }
    // Nothing is accepted by who is not on the list.
    if (this.#registered === undefined) await this.#show(installation);
  }

  /** Shows what this machine goes by, if that is not what is shown already. */
  async #show(installation: Installation): Promise<void> {
    const member = await this.#member(installation);
    const text = JSON.stringify(member);
    if (text === this.#registered) return;
    await register(installation, member, this.#lease!);
    this.#registered = text;
  }

  async #member({ meta, versions, environment, sealed }: Installation): Promise<Member> {
    const pending = versions.pending();
    const held = pending && await sealed.read(sealedSlot(pending)).catch(asRefusal);
    return {
      id: this.#id,
      actor: environment.actor,
      change: knownFleet(meta)?.change ?? 0,
      version: versions.current()?.version ?? 0,
      prepared: held instanceof Secret ? held.kid : null,
      since: this.#since,
      max_staleness: this.options.knowledge.maxStalenessMs,
      rekey: this.options.version,
    };
  }

  #watch(installation: Installation): void {
    if (this.#watching) return;
    this.#watching = true;
    const store = installation.shared();
    const { state } = keysOf(store, installation.environment.app.name);
    this.#unwatch = new AbortController();
    const signal = AbortSignal.any([this.#unwatch.signal, this.#stop.signal]);
    const heard = () => {
      this.#heard = true;
      this.#wake.resolve();
    };
    store.client.watch(state, heard, signal)
      .catch((error) => signal.aborted ? undefined : asRefusal(error))
      .finally(() => this.#watching = false);
  }

  #tell(code: string | undefined): void {
    if (code !== this.#trouble) this.options.onTrouble(code);
    this.#trouble = code;
  }
}
