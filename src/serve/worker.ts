import { CachedVerifier } from "../jwt/cached_verifier.ts";
import { parseJws } from "../jwt/jws.ts";
import type { VerifyPolicy } from "../jwt/policy.ts";
import type { Verified } from "../jwt/verifier.ts";
import { rfc3339 } from "../core/clock.ts";
import { isRekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { type MaybeAsync, tryThen } from "../core/async.ts";
import { makeApp, type Served } from "../http/app.ts";
import type { HostOperations } from "../http/host_operations.ts";
import { type Measured, Meters } from "../http/meters.ts";
import { makeRoutes, type Services } from "../http/routes.ts";
import { unconfigured } from "../etcd/errors.ts";
import { aheadOf, SharedFreshness } from "../cluster/freshness.ts";
import { LiveSecrets } from "../secret/view.ts";
import type { Environment, Freshness } from "../store/environment.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { Listener } from "./listener.ts";
import { isLocal, ownNames, type Settings } from "./settings.ts";
import { connect, type Port, type Remote } from "./rpc.ts";

// What was seen is told in batches: a message for every request would cost as much as the request.
const TELL_MS = 100;

/**
 * A thread that answers requests. It reads the database and asks the main thread for everything else. Its public methods
 * are what the main thread calls on it.
 */
export class RequestThread {
  readonly #host: Remote<HostOperations>;
  readonly #live: LiveSecrets;
  readonly #verifier: CachedVerifier;
  #freshness: Freshness = {
    age: () => Infinity,
    mustBeFresh: () => {
      throw unconfigured();
    },
  };
  #verdicts = new Map<string, number>();
  #lines: string[] = [];
  readonly #meters = new Meters();
  #listener: Listener | undefined;
  #telling: ReturnType<typeof setInterval> | undefined;

  /** @param port leads to the main thread, which says when to start. */
  constructor(environment: Environment, port: Port) {
    this.#host = connect<HostOperations>(port, this);
    const value = async (version: Version) =>
      Secret.parse(await this.#host.value(version), version.kid);
    this.#live = new LiveSecrets(
      environment,
      value,
      (change) => this.#freshness.mustBeFresh(change),
    );
    this.#verifier = new CachedVerifier(this.#live);
  }

  /** Begins to listen. */
  async start(settings: Settings): Promise<void> {
    const { freshness } = settings;
    if (freshness !== undefined) {
      const ahead = await aheadOf(() => this.#host.clock());
      const { maxStalenessMs, buffer } = freshness;
      this.#freshness = new SharedFreshness(maxStalenessMs, buffer, ahead);
    }
    const app = makeApp(makeRoutes(settings.version), this.#services(settings), (served) => {
      this.#meters.served(served);
      if (settings.accessLog || served.bug !== undefined) {
        this.#lines.push(accessLine(served, settings.debug));
      }
    });
    this.#listener = new Listener(settings, app, this.#host);
    this.#listener.start();
    this.#telling = setInterval(() => this.#tell(), TELL_MS);
  }

  measured(): Measured {
    return this.#meters.measured();
  }

  /** Answers once the thread is free: a sign of life. */
  ping(): void {}

  /** Listens once more, for what may no longer do so. */
  listenAgain(): void {
    this.#listener?.listenAgain();
  }

  /** Serves new connections with another certificate. */
  async renew(tls: Settings["tls"]): Promise<void> {
    await this.#listener?.renew(tls);
  }

  /** Answers what is in flight, tells what it has seen, and ends. */
  async stop(): Promise<void> {
    try {
      await this.#listener?.stop();
    } finally {
      clearInterval(this.#telling);
      await this.#tell();
      this.#live.close();
    }
  }

  async #tell(): Promise<void> {
    if (this.#verdicts.size + this.#lines.length === 0) return;
    const [verdicts, lines] = [this.#verdicts, this.#lines];
    this.#verdicts = new Map();
    this.#lines = [];
    await this.#host.seen(verdicts, lines);
  }

  #services(settings: Settings): Services {
    return {
      verify: (token, policy) => this.#verify(token, policy),
      ready: async () => {
        await this.#live.valueOf(this.#live.verifyingNow()[0]!);
      },
      secretHost: this.#host,
      names: ownNames(settings),
      remote: !isLocal(settings.address),
      trustForwarded: settings.trustForwarded,
    };
  }

  #verify(token: string, policy?: VerifyPolicy): MaybeAsync<Verified> {
    return tryThen(
      () => this.#judge(token, policy),
      (verified) => {
        this.#count("valid");
        return verified;
      },
      (error) => {
        if (isRekeyError(error)) this.#count(error.code);
        throw error;
      },
    );
  }

  #judge(token: string, policy?: VerifyPolicy): MaybeAsync<Verified> {
    return tryThen(
      () => this.#verifier.verify(token, policy),
      (verified) => verified,
      (error) => {
        if (!isRekeyError(error, "unknown_kid") || !this.#isPrepared(token)) throw error;
        return this.#judgeAnew(token, policy);
      },
    );
  }

  // Another machine signs with it: it was made the current one this moment.
  async #judgeAnew(token: string, policy?: VerifyPolicy): Promise<Verified> {
    await this.#host.followNow();
    return await this.#verifier.verify(token, policy);
  }

  #isPrepared(token: string): boolean {
    const { kid } = parseJws(token).header;
    return this.#live.view().installation.versions.pending()?.kid === kid;
  }

  #count(result: string): void {
    this.#verdicts.set(result, (this.#verdicts.get(result) ?? 0) + 1);
    this.#meters.verified(result);
  }
}

// A path is the route's own and nothing of the request's header is in it: either may hold a token.
function accessLine(served: Served, debug: boolean): string {
  const { route, method, status, code, milliseconds, address, bug } = served;
  return JSON.stringify({
    time: rfc3339(Date.now()),
    remote: address ?? "unix",
    method,
    route,
    status,
    ms: Math.round(milliseconds * 1000) / 1000,
    ...code === undefined ? {} : { code },
    ...bug === undefined ? {} : { bug: bugText(bug, debug) },
  });
}

function bugText(bug: unknown, debug: boolean): string {
  const { name, stack } = bug instanceof Error ? bug : new Error(String(bug));
  return debug ? stack ?? name : name;
}
