import { CachedVerifier, type TokenOf } from "../jwt/cached_verifier.ts";
import { verifyWith } from "../jwt/pair_signatures.ts";
import { parseJws } from "../jwt/jws.ts";
import type { VerifyPolicy } from "../jwt/policy.ts";
import type { Verified } from "../jwt/verifier.ts";
import { rfc3339Now } from "../core/clock.ts";
import { type ErrorCode, isRekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { type MaybeAsync, tryThen } from "../core/async.ts";
import { makeApp, type Served } from "../http/app.ts";
import { clientAddress } from "../http/client_address.ts";
import { bearerToken, credentials, NoToken } from "../http/guard.ts";
import type { HostOperations } from "../http/host_operations.ts";
import { makeRoutes } from "../http/routes.ts";
import type { Services } from "../http/route.ts";
import { unconfigured } from "../etcd/unconfigured.ts";
import { aheadOf, SharedFreshness } from "../cluster/freshness.ts";
import { LivePublicSet } from "../secret/public_set.ts";
import { kidInTokens } from "../secret/token_kid.ts";
import { LiveSecrets } from "../secret/live_secrets.ts";
import type { Environment, Freshness } from "../store/environment.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { Listener } from "./listener.ts";
import { RequestMetrics, type ThreadMetrics } from "./metrics.ts";
import { collectGarbage, QuietTimes } from "./quiet_times.ts";
import { ScrapeToken } from "./scrape_token.ts";
import { type Address, isLocal, ownNames, type Settings } from "./settings.ts";
import { SYSTEM } from "../system/system.ts";
import { connect, type Port, type Remote } from "./rpc.ts";

// Counts and log lines are reported in batches: a message per request would cost as much as the request.
const REPORT_MS = 100;

/**
 * A thread that answers requests. It reads the database and asks the main thread for everything else. The main thread
 * calls its public methods.
 */
export class RequestThread {
  readonly #host: Remote<HostOperations>;
  readonly #live: LiveSecrets;
  readonly #verifier: CachedVerifier;
  readonly #publicSet: LivePublicSet;
  #freshness: Freshness = {
    age: () => Infinity,
    mustBeFresh: () => {
      throw unconfigured();
    },
  };
  #lines: string[] = [];
  readonly #metrics = new RequestMetrics();
  readonly #quiet = new QuietTimes();
  #listener: Listener | undefined;
  #reporting: ReturnType<typeof setInterval> | undefined;

  /** @param port to the main thread, which calls {@linkcode start}. */
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
    this.#publicSet = new LivePublicSet(this.#live);
  }

  /** Starts to listen. @param address the one of the server's that is for this thread. */
  async start(settings: Settings, address: Address): Promise<void> {
    const faster = await SYSTEM.fasterSignatures();
    if (faster !== undefined) verifyWith(faster);
    const { freshness } = settings;
    if (freshness !== undefined) {
      const ahead = await aheadOf(() => this.#host.clock());
      const { maxStalenessMs, buffer } = freshness;
      this.#freshness = new SharedFreshness(maxStalenessMs, buffer, ahead);
    }
    const app = makeApp(
      makeRoutes(settings.version, settings.issuer),
      this.#services(settings, address),
      (served, call) => {
        this.#metrics.served(served);
        if (settings.accessLog || served.bug !== undefined) {
          this.#lines.push(accessLine(served, clientAddress(call), settings.debug));
        }
      },
    );
    this.#listener = new Listener(settings, address, app, this.#host);
    this.#listener.start();
    this.#reporting = setInterval(() => this.#report(), REPORT_MS);
  }

  /** Its metrics, after the report of what it has counted. */
  async metrics(): Promise<ThreadMetrics> {
    await this.#report();
    return this.#metrics.json();
  }

  /** Why it cannot verify tokens, as an error code; `null` if it holds the current value, or gets it now. */
  async trouble(): Promise<ErrorCode | null> {
    return await this.#ready().then(() => null, (error) => {
      if (isRekeyError(error)) return error.code;
      throw error;
    });
  }

  /** Returns as soon as the thread is free, which shows that it is alive. */
  ping(): void {}

  /** Collects its garbage if a quiet time is there for it: {@linkcode QuietTimes}. @returns whether it did. */
  tidy(): boolean {
    const isDue = this.#quiet.isDue(this.#metrics.count);
    if (isDue) collectGarbage();
    return isDue;
  }

  /** {@linkcode Listener.listenAgain} */
  listenAgain(): void {
    this.#listener?.listenAgain();
  }

  /** Serves new connections with another certificate. */
  async renew(tls: Settings["tls"]): Promise<void> {
    await this.#listener?.renew(tls);
  }

  /** Answers the requests in flight and sends the last report. */
  async stop(): Promise<void> {
    try {
      await this.#listener?.stop();
    } finally {
      clearInterval(this.#reporting);
      await this.#report();
      this.#live.close();
    }
  }

  async #report(): Promise<void> {
    const [verdicts, lines] = [this.#metrics.takeVerdicts(), this.#lines];
    if (verdicts.size + lines.length === 0) return;
    this.#lines = [];
    await this.#host.report(verdicts, lines);
  }

  #services(settings: Settings, address: Address): Services {
    const { metricsTokenFile: file } = settings;
    const scrape = file === undefined
      ? undefined
      : new ScrapeToken(file, (why) => this.#host.warn(why));
    return {
      isScraper: (token) => scrape?.is(token) ?? false,
      verify: (token, policy) => this.#verify(token, policy),
      verifyBearer: (request, policy) => this.#verify(credentials(request), policy, bearerToken),
      ready: () => this.#ready(),
      publicKeys: () => this.#publicSet.now(),
      secretHost: this.#host,
      names: ownNames(settings, address),
      remote: !isLocal(address),
      trustForwarded: settings.trustForwarded,
    };
  }

  async #ready(): Promise<void> {
    const current = this.#live.verifyingNow()[0]!;
    try {
      await this.#live.valueOf(current);
    } catch (error) {
      // A rotation may have replaced it meanwhile, and destroyed its value.
      if (this.#live.verifyingNow()[0]!.kid === current.kid) throw error;
      await this.#ready();
    }
  }

  #verify(text: string, policy?: VerifyPolicy, tokenOf?: TokenOf): MaybeAsync<Verified> {
    return tryThen(
      () => this.#verifier.verify(text, policy, tokenOf),
      this.#accepted,
      (error) => {
        if (!this.#isForPrepared(error, text, tokenOf)) return this.#refused(error);
        const token = tokenOf?.(text) ?? text;
        return this.#verifyAfterUpdate(token, policy).then(this.#accepted, this.#refused);
      },
    );
  }

  // Properties, so that no request has to make them.
  readonly #accepted = (verified: Verified): Verified => {
    this.#metrics.verified("valid");
    return verified;
  };

  readonly #refused = (error: unknown): never => {
    if (isRekeyError(error) && !(error instanceof NoToken)) this.#metrics.verified(error.code);
    throw error;
  };

  // Another machine has just made the prepared version the current one.
  async #verifyAfterUpdate(token: string, policy?: VerifyPolicy): Promise<Verified> {
    await this.#host.updateShared();
    return await this.#verifier.verify(token, policy);
  }

  /** Whether a token was refused for the kid of a version that is prepared. */
  #isForPrepared(error: unknown, text: string, tokenOf?: TokenOf): boolean {
    if (!isRekeyError(error, "unknown_kid")) return false;
    const { kid } = parseJws(tokenOf?.(text) ?? text).header;
    const prepared = this.#live.view().installation.versions.prepared();
    return prepared?.location === "etcd" && kidInTokens(prepared) === kid;
  }
}

// The path is that of the route, and no header is logged: the request's own may contain a token.
function accessLine(served: Served, address: string | undefined, debug: boolean): string {
  const { route, method, status, code, milliseconds, bug } = served;
  return JSON.stringify({
    time: rfc3339Now(),
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
