import { asRefusal, isRekeyError } from "../core/errors.ts";
import { rfc3339 } from "../core/clock.ts";
import type { HostOperations } from "../http/host_operations.ts";
import type { ServerContext } from "./server_context.ts";
import type { Settings } from "./settings.ts";
import { verifyToken } from "../jwt/verifier.ts";
import { retryWhileBusy, SingleFlight } from "../core/async.ts";
import { Semaphore } from "../core/semaphore.ts";
import { Backoff } from "../core/backoff.ts";
import { isFollowed, mustBeFollowed, warningsOf } from "../secret/followed.ts";
import { warningsOfRisk } from "../secret/keyring/unsaved.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/codes.ts";
import type { RotateOptions } from "../secret/backend.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { FailedValues } from "./failed_values.ts";
import { KeyringRetryPolicy } from "./keyring_retry.ts";
import type { Certificate } from "./certificate.ts";
import { rotateWithDeliveries } from "../deliver/rotation.ts";
import { valueForRotation } from "../secret/rotate.ts";
import type { ServedDeliveries } from "./deliveries.ts";
import { exposeMetrics } from "./metrics.ts";
import { Examinations } from "./examinations.ts";
import { FleetView } from "./fleet_view.ts";
import { HistoryKeeper } from "./history.ts";
import { onBehalf } from "./on_behalf.ts";
import { troubleWithin } from "./readiness.ts";
import { publicAudit, rotationAnswer, statusOf } from "./status.ts";
import type { Remote } from "./rpc.ts";
import type { RequestThread } from "./request_thread.ts";
import { LOCK_TIMEOUT_MS } from "../core/limits.ts";

// Several open status pages must not count the sessions each time.
const STATUS_KEPT_MS = 1_000;

// Scrapers wait for ten seconds, if they are not told otherwise.
const READY_MS = 2_000;

// A password check takes half a second and 128 MiB.
const LOGINS_AT_ONCE = 1;
const LOGINS_WAITING = 16;

// As often a file is put in the database's place within a single task, or more.
const MOST_TRIES = 5;

/** The parts of the server that the secret host uses. */
interface HostedServer {
  readonly threads: readonly Remote<RequestThread>[];
  /** The certificate in use, if there is one. */
  readonly certificate: Certificate | undefined;
  readonly deliveries: ServedDeliveries;
}

/**
 * The main thread's side of `serve`. It alone talks to the keyring and writes to the database, so that request threads
 * never wait for either.
 */
export class SecretHost implements HostOperations {
  readonly #logins = new Semaphore(LOGINS_AT_ONCE, LOGINS_WAITING);
  readonly #rotations = new Semaphore(1, LOGINS_WAITING);
  // Apart: an incident overtakes one that waits for programs.
  readonly #gracefulRotations = new Semaphore(1, LOGINS_WAITING);
  readonly #fetching = new SingleFlight<string>();
  readonly #failed = new FailedValues(KEYRING_UNAVAILABLE);
  readonly #backoff = new Backoff();
  readonly #keyring = new KeyringRetryPolicy(
    () => this.context.managers.secrets.environment.keyring,
    this.#backoff,
    async () => (await this.context.managers.secrets.open()).installation.mirrors(),
  );
  #wanted: Version | undefined;
  #trouble: string | undefined;
  readonly #history: HistoryKeeper;
  readonly #fleet = new FleetView();
  readonly #examinations: Examinations;
  #status: { at: number; answer: ReturnType<typeof statusOf> } | undefined;

  constructor(
    private readonly settings: Settings,
    private readonly context: ServerContext,
    private readonly server: HostedServer,
  ) {
    const { managers: { secrets }, doctor } = context;
    this.#history = new HistoryKeeper(secrets);
    this.#examinations = new Examinations(secrets, doctor, settings.maxAgeSeconds * 1000);
  }

  /** A version's value, from its location. After a failure it is not asked for again at once. */
  value(version: Version): Promise<string> {
    const { kid, location } = version;
    if (location !== "keyring") return this.#failed.read(kid, () => this.#fetch(version));
    this.#wanted = version;
    return this.#failed.read(kid, () => this.#keyring.value(kid, () => this.#fetch(version)));
  }

  #fetch(version: Version): Promise<string> {
    return this.#fetching.once(version.kid, async () => {
      const { secrets } = this.context.managers;
      const { secret } = await this.#withBackoff(() => secrets.valueOf(version));
      this.#backoff.succeeded();
      return secret.reveal();
    });
  }

  login: HostOperations["login"] = (credentials) =>
    this.#logins.run(() =>
      this.#withBackoff(() =>
        this.context.managers.auth.login(credentials, this.settings.sessionSeconds)
      )
    );

  endSession: HostOperations["endSession"] = (verified) =>
    retryWhileBusy(LOCK_TIMEOUT_MS, async () => {
      this.context.managers.secrets.refresh();
      await this.context.managers.accounts.logOut(verified);
    });

  rotate: HostOperations["rotate"] = ({ token, subject }, options) => {
    const queue = (options.graceMs ?? 0) > 0 ? this.#gracefulRotations : this.#rotations;
    return onBehalf(subject, () => queue.run(() => this.#rotate(token, options)));
  };

  async #rotate(token: string, options: RotateOptions) {
    const { secrets } = this.context.managers;
    const permit = async () => await verifyToken(secrets, token);
    secrets.refresh();
    // Once, however often another command is at work.
    const makeValue = await valueForRotation(await secrets.open(), options);
    const how = { ...options, makeValue, permit, lockTimeoutMs: 0 };
    const { changed, outcomes } = await retryWhileBusy(LOCK_TIMEOUT_MS, () => {
      this.#askKeyringAgain();
      return rotateWithDeliveries(secrets, how);
    });
    this.#status = undefined;
    warningsOf(changed).forEach(this.context.warn);
    if (secrets.logWarning !== undefined) this.context.warn(secrets.logWarning);
    warningsOfRisk((await secrets.open()).installation).forEach(this.context.warn);
    // The rotation stands; what has not followed is tried again.
    this.server.deliveries.tell(outcomes);
    mustBeFollowed(isFollowed(changed));
    return rotationAnswer(secrets, changed);
  }

  /** What the status page shows, computed at most once a second. */
  status: HostOperations["status"] = async () => {
    const now = performance.now();
    const { certificate, threads } = this.server;
    if (this.#status === undefined || now - this.#status.at > STATUS_KEPT_MS) {
      this.context.managers.secrets.refresh();
      const knowledge = {
        fleet: this.#fleet,
        examinations: this.#examinations,
        trouble: async () => this.#trouble ?? await troubleWithin(STATUS_KEPT_MS, threads[0]!),
        certificateEnds: certificate?.notAfter,
      };
      const answer = this.#onNewest(() =>
        statusOf(this.context.managers, this.settings, knowledge)
      );
      this.#status = { at: now, answer };
    }
    return {
      ...await this.#status.answer,
      certificate_expires_at: certificate === undefined ? null : rfc3339(certificate.notAfter),
    };
  };

  audit: HostOperations["audit"] = async (filter) => {
    const { secrets } = this.context.managers;
    secrets.refresh();
    return await this.#onNewest(async () =>
      publicAudit((await secrets.open()).installation, filter)
    );
  };

  history: HostOperations["history"] = (period) => this.#onNewest(() => this.#history.of(period));

  metrics: HostOperations["metrics"] = async () => {
    const { threads, certificate } = this.server;
    const { settings, context: { managers: { secrets } } } = this;
    const measured = await Promise.all(threads.map((thread) => thread.metrics()));
    // A keyring that waits for its user must not keep the scraper waiting.
    const isReady = await troubleWithin(READY_MS, threads[0]!) === undefined;
    return await exposeMetrics(measured, { secrets, settings, certificate, isReady });
  };

  report: HostOperations["report"] = (verdicts, lines) => {
    const { managers, log } = this.context;
    verdicts.forEach((count, result) => managers.secrets.noteVerdict(result, count));
    lines.forEach(log);
  };

  listensAgain: HostOperations["listensAgain"] = () => {
    // The calling thread listens once more than needed, which does no harm.
    for (const thread of this.server.threads) thread.listenAgain().catch(() => {});
  };

  warn: HostOperations["warn"] = (why) => this.context.warn(why);

  updateShared: HostOperations["updateShared"] = async () => await this.context.follower?.lookNow();

  clock: HostOperations["clock"] = () => performance.now();

  /**
   * Runs every second: saves the counts, and opens the secret, which also recovers from interrupted commands.
   *
   * @returns the error code if the secret is unavailable.
   */
  async maintain(): Promise<string | undefined> {
    return this.#trouble = await this.#maintain();
  }

  /** Saves what has not been saved. Call it when no request is answered any more. */
  async stop(): Promise<void> {
    await this.maintain();
    await this.#history.stop().catch(asRefusal);
  }

  async #maintain(): Promise<string | undefined> {
    const { secrets } = this.context.managers;
    try {
      await this.#onNewest(async () => {
        this.#askKeyringAgain();
        await secrets.flushNotes();
        await this.#history.tick();
      });
      this.#keyring.dropExpired();
      await this.#probeKeyring();
      return this.#backoff.failure?.code;
    } catch (error) {
      return asRefusal(error).code;
    }
  }

  // Notices that the keyring is available again before the next request is refused.
  async #probeKeyring(): Promise<void> {
    if (this.#backoff.failure === undefined || this.#backoff.isOn || this.#wanted === undefined) {
      return;
    }
    await this.value(this.#wanted).catch((error) => {
      if (!isRekeyError(error)) throw error;
    });
  }

  // A task that may not ask the keyring says nothing new about it: its failure must not prolong the backoff.
  async #withBackoff<T>(task: () => Promise<T>): Promise<T> {
    const asks = this.#askKeyringAgain();
    try {
      return await this.#onNewest(task);
    } catch (error) {
      if (asks && isRekeyError(error, ...KEYRING_UNAVAILABLE)) this.#backoff.failed(error);
      throw error;
    }
  }

  /**
   * Does a task again whose database was closed meanwhile: two others have taken its place, one after the other. What it
   * has written is gone with its file.
   */
  async #onNewest<T>(task: () => Promise<T>): Promise<T> {
    for (let tries = 1;; tries++) {
      try {
        return await task();
      } catch (error) {
        if (tries === MOST_TRIES || !isRekeyError(error) || error.retryAfter !== 0) throw error;
      }
    }
  }

  /** Lets the next task ask the keyring, unless the backoff is on. @returns whether it may. */
  #askKeyringAgain(): boolean {
    const { secrets } = this.context.managers;
    secrets.refresh();
    // A keyring that waits for its user must not be asked repeatedly.
    if (this.#backoff.isOn || secrets.environment.keyring.isStuck) return false;
    secrets.environment.keyring.retry();
    return true;
  }
}
