import { resolve } from "node:path";
import { EVENTS } from "../audit/events.ts";
import { rfc3339 } from "../core/clock.ts";
import { asRefusal, asRefusalOrBug, RekeyError } from "../core/errors.ts";
import type { Changed } from "../secret/rotation.ts";
import type { Version } from "../store/versions.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { type Facts, runHook } from "./hook.ts";
import { Webhook } from "./webhook.ts";

/** Whom to tell of a rotation. */
export interface NoticeFlags {
  /** Shell commands, in their order. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  readonly notifyUrl?: readonly string[];
  readonly notifyKeyFile?: string;
  readonly reason?: string;
}

/** Tells the operator's own commands and programs of a rotation. What they are told has nothing secret in it. */
export class RotationNotices {
  readonly #webhooks: readonly Webhook[];

  /** @throws {RekeyError} `usage` when a notice could not be sent; nothing has been changed yet. */
  constructor(private readonly flags: NoticeFlags, private readonly context: Context) {
    const { notifyUrl = [], notifyKeyFile } = flags;
    this.#webhooks = [...new Set(notifyUrl)].map((url) => Webhook.to(url, notifyKeyFile));
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

  /** The rotation was made; whoever cannot be told does not undo it. */
  async after({ version, previous, graceUntil }: Changed): Promise<void> {
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

  #facts({ version, kid, location }: Version): Facts {
    const app = this.context.secrets.environment.app.name;
    return { app, version, kid, location, reason: this.flags.reason ?? null };
  }

  async #post(type: string, facts: Facts): Promise<void> {
    await Promise.all(
      this.#webhooks.map((webhook) => this.#leniently(() => webhook.post(type, facts))),
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

  // Whatever comes of it: the rotation stands, and whoever saw a failure would make another one.
  async #writeDown(reason: string): Promise<void> {
    try {
      await this.context.secrets.writeDown({ event: EVENTS.noticeFailed, reason });
    } catch (error) {
      this.context.output.warning(asRefusalOrBug(error).message);
    }
  }

  // So that a `rekey backup` in a hook is about the same installation.
  #globals(): Record<string, string> {
    const { app, dataDir, kekFile }: GlobalOptions = this.context.globals;
    const given = { REKEY_APP: app, REKEY_DATA_DIR: dataDir, REKEY_KEK_FILE: kekFile };
    return Object.fromEntries(
      Object.entries(given).filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, name === "REKEY_APP" ? value! : resolve(value!)]),
    );
  }
}
