import type { Accounts } from "../auth/accounts.ts";
import type { AuthManager } from "../auth/manager.ts";
import { asRefusal, isRekeyError } from "../core/errors.ts";
import type { Services } from "../http/route.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Version } from "../store/versions.ts";
import { rotationAnswer, statusOf } from "./answers.ts";
import { Gate } from "./gate.ts";
import type { Settings } from "./settings.ts";

type Office = Services["office"];

// After a refusal of the keyring, how long it is not asked again; each further one doubles it.
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

// A page that is open on several screens must not count the sessions each time.
const STATUS_KEPT_MS = 1_000;

// Each takes half a second and 128 MiB.
const LOGINS_AT_ONCE = 1;
const LOGINS_WAITING = 16;

/** The managers that the office works with. */
export interface Managers {
  readonly secrets: SecretManager;
  readonly auth: AuthManager;
  readonly accounts: Accounts;
}

/**
 * The one thread that owns the secret: it talks to the keyring and writes to the database, so that the threads
 * that answer requests never wait for either.
 */
export class SecretOffice implements Omit<Office, "metrics"> {
  readonly #logins = new Gate(LOGINS_AT_ONCE, LOGINS_WAITING);
  readonly #rotations = new Gate(1, LOGINS_WAITING);
  #refused: { error: unknown; until: number; pause: number } | undefined;
  #status: { at: number; answer: ReturnType<Office["status"]> } | undefined;

  constructor(private readonly managers: Managers, private readonly settings: Settings) {}

  /** A version's value, from where it lives. A refusal is remembered for a while. */
  async value(version: Version): Promise<string> {
    const { secrets } = this.managers;
    const { keyring } = secrets.environment;
    if (this.#refused !== undefined && performance.now() < this.#refused.until) {
      throw this.#refused.error;
    }
    secrets.refresh();
    // A service that waits for its user is not to ask again and again.
    if (!keyring.isStuck) keyring.retry();
    try {
      const { secret } = await secrets.valueOf(version);
      this.#refused = undefined;
      return secret.reveal();
    } catch (error) {
      const pause = Math.min((this.#refused?.pause ?? FIRST_PAUSE_MS / 2) * 2, LONGEST_PAUSE_MS);
      this.#refused = { error, until: performance.now() + pause, pause };
      throw error;
    }
  }

  login: Office["login"] = (credentials) => {
    this.managers.secrets.refresh();
    return this.#logins.through(() =>
      this.managers.auth.login(credentials, this.settings.sessionSeconds)
    );
  };

  endSession: Office["endSession"] = async (verified) => {
    this.managers.secrets.refresh();
    await this.managers.accounts.logOut(verified);
  };

  rotate: Office["rotate"] = (options) =>
    this.#rotations.through(async () => {
      const { secrets, auth } = this.managers;
      secrets.refresh();
      if (!secrets.environment.keyring.isStuck) secrets.environment.keyring.retry();
      const changed = await auth.rotate(options);
      this.#status = undefined;
      return await rotationAnswer(secrets, changed);
    });

  status: Office["status"] = () => {
    const now = performance.now();
    if (this.#status === undefined || now - this.#status.at > STATUS_KEPT_MS) {
      this.managers.secrets.refresh();
      this.#status = { at: now, answer: statusOf(this.managers, this.settings) };
    }
    return this.#status.answer;
  };

  /**
   * Writes down what was seen, and finishes what others left.
   *
   * @returns why the secret cannot be had, if it cannot.
   */
  async maintain(): Promise<string | undefined> {
    const { secrets } = this.managers;
    try {
      secrets.refresh();
      await secrets.flushNotes();
      await secrets.open();
      return isRekeyError(this.#refused?.error) ? this.#refused.error.code : undefined;
    } catch (error) {
      return asRefusal(error).code;
    }
  }
}
