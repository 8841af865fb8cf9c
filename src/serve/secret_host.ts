import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import { type AuditRow, EVENTS } from "../audit/events.ts";
import { figures, retrievalCounts } from "../audit/figures.ts";
import { listAudit } from "../audit/reader.ts";
import { rfc3339 } from "../core/clock.ts";
import type { HostOperations } from "../http/host_operations.ts";
import { ageOf, isDue } from "../secret/age.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Changed } from "../secret/rotation.ts";
import { describeHolders, staleHolders } from "../secret/holders.ts";
import type { Managers, ServerContext } from "./context.ts";
import type { Settings } from "./settings.ts";
import { verifyToken } from "../jwt/verifier.ts";
import { delay, SingleFlight } from "../core/async.ts";
import { prometheus } from "../http/meters.ts";
import { isNotFollowed, notTakenOver } from "../secret/shared_rotation.ts";
import { warningsOf, warningsOfRisk } from "../secret/warnings.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/errors.ts";
import { LOCK_TIMEOUT_MS } from "../core/text.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { KeyringRetryPolicy } from "./keyring_retry.ts";
import type { Certificate } from "./certificate.ts";
import { expose } from "./measurements.ts";
import type { Remote } from "./rpc.ts";
import type { RequestThread } from "./worker.ts";
import { Backoff } from "../core/backoff.ts";

/** A counting semaphore with a bounded queue: a few tasks run at a time, some wait, and the rest are refused. */
export class Semaphore {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly atOnce: number, private readonly mostWaiting: number) {}

  /** @throws {RekeyError} `busy` when too many wait already. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.atOnce) await this.#turn();
    else this.#running++;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed on, so that no one slips in between.
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.mostWaiting) {
      throw new RekeyError("busy", "Cannot do this now: too many others are waiting", {
        hint: "Try again in a moment",
        retryAfter: 1,
      });
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

const AUDIT_ROWS = 20;
const ROTATIONS = 50;

/** What the status page shows of the secret. */
async function statusOf(
  { secrets, auth }: Managers,
  { maxAgeSeconds, version: rekey }: Settings,
): Promise<Omit<Awaited<ReturnType<HostOperations["status"]>>, "certificate_expires_at">> {
  const { installation, version } = await secrets.open();
  const [, ...grace] = await secrets.verifying();
  const { database, versions, algorithm, keyForm } = installation;
  const { verifications, success_rate, fallback_rate } = figures(database);
  const { keyring, database: fromDatabase } = retrievalCounts(database);
  const now = installation.now();
  const age = ageOf(installation, version);
  const dueAt = age.isFromFuture ? now : version.created_at + maxAgeSeconds * 1000;
  return {
    app: secrets.environment.app.name,
    version: version.version,
    kid: version.kid,
    location: version.location,
    created_at: rfc3339(version.created_at),
    age_seconds: age.seconds,
    created_in_future: age.isFromFuture,
    rotation_due: isDue(age, maxAgeSeconds),
    due_at: rfc3339(dueAt),
    alg: algorithm,
    key_form: keyForm,
    grace: grace.map((row) => ({
      version: row.version,
      kid: row.kid,
      until: rfc3339(row.grace_until ?? 0),
    })),
    stale_processes: describeHolders(staleHolders(installation)),
    sessions_active: await auth.activeSessions(),
    success_rate,
    verifications,
    fallback_rate,
    retrievals: { keyring, database: fromDatabase },
    rotations: versions.rotatedIn(ROTATIONS).map((row) => ({
      time: rfc3339(row.activated_at ?? 0),
      version: row.version,
      reason: row.reason,
    })).reverse(),
    audit: listAudit(database, AUDIT_ROWS).map(forEverybody).reverse(),
    rekey,
    time: rfc3339(now),
  };
}

/** What a rotation over HTTP answers: the fields of `rotate --json` (design §7). */
function rotationAnswer(
  secrets: SecretManager,
  { rotated, version, previous, graceUntil }: Changed,
): Awaited<ReturnType<HostOperations["rotate"]>> {
  return {
    app: secrets.environment.app.name,
    version: version.version,
    kid: version.kid,
    location: version.location,
    created_at: rfc3339(version.created_at),
    key_form: version.key_form,
    previous_version: previous?.version ?? null,
    previous_kid: previous?.kid ?? null,
    grace_until: graceUntil === null ? null : rfc3339(graceUntil),
    reason: version.reason,
    rotated,
  };
}

// The page has no login: whoever reaches it need not know who the users are.
function forEverybody({ hash: _, ...row }: AuditRow) {
  return ABOUT_USERS.includes(row.event) ? { ...row, reason: null } : row;
}

const ABOUT_USERS: readonly string[] = [
  EVENTS.userAdded,
  EVENTS.userRemoved,
  EVENTS.passwordChanged,
  EVENTS.sessionsRevoked,
];

const BETWEEN_MS = 50;

// A page that is open on several screens must not count the sessions each time.
const STATUS_KEPT_MS = 1_000;

// Each takes half a second and 128 MiB.
const LOGINS_AT_ONCE = 1;
const LOGINS_WAITING = 16;

/** What the secret host needs to know of the server. */
interface HostedServer {
  readonly threads: readonly Remote<RequestThread>[];
  /** What it serves with now, if that is a certificate. */
  readonly certificate: Certificate | undefined;
}

/**
 * The one thread that owns the secret: it talks to the keyring and writes to the database, so that the threads
 * that answer requests never wait for either.
 */
export class SecretHost implements HostOperations {
  readonly #logins = new Semaphore(LOGINS_AT_ONCE, LOGINS_WAITING);
  readonly #rotations = new Semaphore(1, LOGINS_WAITING);
  readonly #fetching = new SingleFlight<string>();
  readonly #backoff = new Backoff();
  readonly #keyring = new KeyringRetryPolicy(
    () => this.context.managers.secrets.environment.keyring,
    this.#backoff,
    async () => (await this.context.managers.secrets.open()).installation.mirrors(),
  );
  #wanted: Version | undefined;
  #status: { at: number; answer: ReturnType<typeof statusOf> } | undefined;

  constructor(
    private readonly settings: Settings,
    private readonly context: ServerContext,
    private readonly server: HostedServer,
  ) {}

  /** A version's value, from where it lives. A keyring that cannot be used is not asked again at once. */
  value(version: Version): Promise<string> {
    if (version.location !== "keyring") return this.#fetch(version);
    this.#wanted = version;
    return this.#keyring.value(version.kid, () => this.#fetch(version));
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
    retryWhileBusy(async () => {
      this.context.managers.secrets.refresh();
      await this.context.managers.accounts.logOut(verified);
    });

  rotate: HostOperations["rotate"] = (token, options) =>
    this.#rotations.run(async () => {
      const { secrets, auth } = this.context.managers;
      const permit = async () => await verifyToken(secrets, token);
      const changed = await retryWhileBusy(() => {
        this.#askKeyringAgain();
        return auth.rotate({ ...options, permit, lockTimeoutMs: 0 });
      });
      this.#status = undefined;
      warningsOf(changed).forEach(this.context.warn);
      warningsOfRisk((await secrets.open()).installation).forEach(this.context.warn);
      if (isNotFollowed(changed)) throw notTakenOver();
      return rotationAnswer(secrets, changed);
    });

  /** What the status page shows; counted once a second at most. */
  status: HostOperations["status"] = async () => {
    const now = performance.now();
    const { managers } = this.context;
    if (this.#status === undefined || now - this.#status.at > STATUS_KEPT_MS) {
      managers.secrets.refresh();
      this.#status = { at: now, answer: statusOf(managers, this.settings) };
    }
    const { certificate } = this.server;
    return {
      ...await this.#status.answer,
      certificate_expires_at: certificate === undefined ? null : rfc3339(certificate.notAfter),
    };
  };

  metrics: HostOperations["metrics"] = async () => {
    const { threads, certificate } = this.server;
    const measured = await Promise.all(threads.map((thread) => thread.measured()));
    const { secrets } = this.context.managers;
    return await expose(await prometheus(), measured, secrets, this.settings, certificate);
  };

  seen: HostOperations["seen"] = (verdicts, lines) => {
    const { managers, log } = this.context;
    verdicts.forEach((count, result) => managers.secrets.noteVerdict(result, count));
    lines.forEach(log);
  };

  listensAgain: HostOperations["listensAgain"] = () => {
    // For the thread that says so it is once more than needed, and does no harm.
    for (const thread of this.server.threads) thread.listenAgain().catch(() => {});
  };

  cannotListen: HostOperations["cannotListen"] = (why) => this.context.warn(why);

  followNow: HostOperations["followNow"] = async () => await this.context.follower?.lookNow();

  clock: HostOperations["clock"] = () => performance.now();

  /**
   * Writes down what was seen, and finishes what others left.
   *
   * @returns why the secret cannot be had, if it cannot.
   */
  async maintain(): Promise<string | undefined> {
    const { secrets } = this.context.managers;
    try {
      this.#askKeyringAgain();
      await secrets.flushNotes();
      await secrets.open();
      this.#keyring.forget();
      await this.#findOutAgain();
      return this.#backoff.why?.code;
    } catch (error) {
      return asRefusal(error).code;
    }
  }

  // So that it is known to be back before the next request is refused.
  async #findOutAgain(): Promise<void> {
    if (this.#backoff.why === undefined || this.#backoff.isOn || this.#wanted === undefined) return;
    await this.value(this.#wanted).catch((error) => {
      if (!isRekeyError(error)) throw error;
    });
  }

  // A task that did not ask the keyring tells nothing new of it: a slow one would lengthen a backoff that is over.
  async #withBackoff<T>(task: () => Promise<T>): Promise<T> {
    const asks = this.#askKeyringAgain();
    try {
      return await task();
    } catch (error) {
      if (asks && isRekeyError(error, ...KEYRING_UNAVAILABLE)) this.#backoff.failed(error);
      throw error;
    }
  }

  /** @returns whether what comes next may ask the keyring, although it did not answer before. */
  #askKeyringAgain(): boolean {
    const { secrets } = this.context.managers;
    secrets.refresh();
    // A service that waits for its user is not to ask again and again.
    if (this.#backoff.isOn || secrets.environment.keyring.isStuck) return false;
    secrets.environment.keyring.retry();
    return true;
  }
}

/** Tries again for a while when another process is writing: no one waits in the meantime. */
async function retryWhileBusy<T>(task: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + LOCK_TIMEOUT_MS;;) {
    try {
      return await task();
    } catch (error) {
      if (!isRekeyError(error, "busy") || performance.now() > end) throw error;
    }
    await delay(BETWEEN_MS);
  }
}
