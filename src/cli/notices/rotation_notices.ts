import { warnOfExposed } from "../exposed_inputs.ts";
import { hostname } from "node:os";
import { type AuditEvent, EVENTS } from "../../audit/events.ts";
import { rfc3339 } from "../../core/clock.ts";
import { asRefusal, asRefusalOrBug, RekeyError } from "../../core/errors.ts";
import type { Changed } from "../../secret/backend.ts";
import { installationVariables } from "../../store/environment.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import type { Context } from "../context.ts";
import { noticeOf, type NoticeType } from "./chat_formats.ts";
import { type Receivers, Webhook } from "./webhook.ts";
import { tryToWrite } from "../output.ts";
import { runLine } from "../../system/command_line.ts";
import { withCallersUmask } from "../../system/umask.ts";
import { SYSTEM } from "../../system/system.ts";
import type { HookFacts } from "./hook_facts.ts";

/** Flags for hooks and notices. */
export interface NoticeFlags extends Receivers {
  /** Shell commands, in their order. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  readonly reason?: string;
  readonly force?: boolean;
}

// Codes of a rotation that cannot start because a store is not available.
const BLOCKED = /^(keyring|kek|etcd)_|^fleet_stale$/;

function reasonOf({ code, message, hint }: RekeyError): HookFacts {
  return { code, error: message, hint: hint ?? null };
}

/** Runs the operator's hooks and sends notices of a rotation. They contain nothing secret. */
export class RotationNotices {
  readonly #webhooks: readonly Webhook[];
  #told = false;

  /** @throws {RekeyError} `usage` for invalid receivers. */
  constructor(private readonly flags: NoticeFlags, private readonly context: Context) {
    this.#webhooks = Webhook.all(flags);
    const { notifyUrlFile = [], notifyKeyFile = [] } = flags;
    for (const path of [notifyUrlFile, notifyKeyFile].flat()) warnOfExposed(path, context.output);
  }

  /** The rotation will be made at a time: milliseconds since the epoch. */
  async announced(current: Version, at: number): Promise<void> {
    await this.#post("rotation.announced", { ...this.#facts(current), at: rfc3339(at) });
  }

  /** The rotation that was announced will not be made. */
  async cancelled(current: Version): Promise<void> {
    await this.#post("rotation.cancelled", this.#facts(current));
  }

  /**
   * The rotation comes next.
   *
   * @throws {RekeyError} `failed` when a command of `--before` forbids it; those after it are not run.
   */
  async before(current: Version): Promise<void> {
    const { before = [] } = this.flags;
    try {
      for (const command of before) {
        await runHook("--before", command, this.#facts(current), this.#globals());
      }
    } catch (error) {
      const { message } = asRefusal(error);
      await this.#writeDown(message);
      throw new RekeyError("failed", `Not rotated: ${message}`, {
        hint: "The old secret is still current. Run the command by hand",
      });
    }
  }

  /** The rotation was made. A failed hook or notice becomes a warning. */
  async after({ version, previous, graceUntil }: Changed): Promise<void> {
    this.#told = true;
    const facts = {
      ...this.#facts(version),
      previous_version: previous?.version ?? null,
      previous_kid: previous?.kid ?? null,
      grace_until: graceUntil === null ? null : rfc3339(graceUntil),
    };
    for (const command of this.flags.after ?? []) {
      await this.#leniently(() => runHook("--after", command, facts, this.#globals()));
    }
    await this.#post("rotation.completed", facts);
  }

  #facts({ version, kid, location }: Version): HookFacts {
    const app = this.context.secrets.environment.app.name;
    return { app, version, kid, location, reason: this.flags.reason ?? null };
  }

  /** A rotation is not due yet, but would fail now: reported early. */
  async notReady(current: Version, why: RekeyError): Promise<void> {
    this.context.output.warning(`a rotation would fail now: ${why.message}`);
    await this.#writeDown(`not due yet: ${why.message}`, EVENTS.rotationBlocked);
    await this.#post("rotation.blocked", { ...this.#facts(current), due: 0, ...reasonOf(why) });
    this.#told = true;
  }

  /** Reports a rotation that failed without sending a notice. */
  async failed(why: string): Promise<void> {
    await this.#failed(new RekeyError("failed", why, { hint: "Look into the journal" }));
  }

  /** Makes the rotation; a failure is logged, reported and rethrown. */
  async telling(make: () => Promise<void>): Promise<void> {
    try {
      await make();
    } catch (error) {
      await this.#failed(asRefusalOrBug(error));
      throw error;
    }
  }

  // Usage errors and cancellations are not failures; a completed rotation has been reported.
  async #failed(why: RekeyError): Promise<void> {
    if (this.#told || why.code === "usage" || why.code === "cancelled") return;
    const blocked = BLOCKED.test(why.code);
    if (this.flags.force) {
      const event = blocked ? EVENTS.rotationBlocked : EVENTS.rotationFailed;
      // The same problem may prevent this write; the command reports it anyway.
      await this.#triedToWrite(why.message, event);
    }
    if (this.#webhooks.length === 0) return;
    const facts = { ...await this.#knownFacts(), ...reasonOf(why) };
    await (blocked
      ? this.#post("rotation.blocked", { ...facts, due: 1 })
      : this.#post("rotation.failed", facts));
  }

  // Without a database only the app's name is known.
  async #knownFacts(): Promise<HookFacts> {
    try {
      return this.#facts((await this.context.secrets.open()).version);
    } catch {
      const { flags, context: { secrets: { environment } } } = this;
      const nothing = { version: null, kid: null, location: null };
      return { app: environment.app.name, ...nothing, reason: flags.reason ?? null };
    }
  }

  async #post(type: NoticeType, facts: HookFacts): Promise<void> {
    const notice = noticeOf(type, { ...facts, host: hostname() });
    await Promise.all(
      this.#webhooks.map((webhook) => this.#leniently(() => webhook.post(notice))),
    );
  }

  async #leniently(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      const { message } = asRefusalOrBug(error);
      this.context.output.warning(message);
      await this.#writeDown(message);
    }
  }

  // The rotation stands, so a failed write is a warning: an error would suggest rotating again.
  async #writeDown(reason: string, event: AuditEvent = EVENTS.noticeFailed): Promise<void> {
    const failure = await this.#triedToWrite(reason, event);
    if (failure !== undefined) this.context.output.warning(failure.message);
  }

  async #triedToWrite(reason: string, event: AuditEvent): Promise<RekeyError | undefined> {
    try {
      const { installation } = await this.context.secrets.open();
      const audit = await installation.audit();
      installation.database.transaction(() => audit.append({ event, reason }));
    } catch (error) {
      return asRefusalOrBug(error);
    }
  }

  #globals(): Record<string, string> {
    return installationVariables(this.context.secrets.environment);
  }
}

// Time limit of a hook.
const LONGEST_MS = 300_000;

/**
 * Runs a command line of the operator's in the system's shell. Its output goes to stderr, since stdout belongs to the
 * result; it has no stdin.
 *
 * @param flag by which it was given, for messages.
 * @param globals variables by which a rekey that it calls finds the same installation.
 * @throws {RekeyError} `failed` when it ends with another status than 0, or not in time.
 */
async function runHook(
  flag: "--before" | "--after",
  commandLine: string,
  facts: HookFacts,
  globals: Readonly<Record<string, string>>,
): Promise<void> {
  const failure = await runLine(
    SYSTEM.processes.shellToStderr(commandLine),
    {
      env: { ...globals, ...variables(facts) },
      limitMs: LONGEST_MS,
      take: (piece) => tryToWrite(Deno.stderr, piece),
    },
    (command) => withCallersUmask(() => command.spawn()),
  );
  if (failure === undefined) return;
  throw new RekeyError("failed", `The command of ${flag} ${failure}`, {
    hint: "Run it by hand; what it was told is in the variables REKEY_ROTATION_…",
  });
}

function variables(facts: HookFacts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) =>
      [`REKEY_ROTATION_${name.toUpperCase()}`, String(value ?? "")] as const
    ),
  );
}
