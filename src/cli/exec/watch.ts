import { asRefusalOrBug, type RekeyError } from "../../core/errors.ts";
import { inGrace } from "../../secret/grace.ts";
import { LiveSecrets } from "../../secret/live_secrets.ts";
import { notInitialised } from "../../secret/view.ts";
import type { Environment } from "../../store/environment.ts";
import type { Installation } from "../../store/installation.ts";
import type { Version } from "../../store/sqlite/versions.ts";

/** The versions that a program may have to know. */
export interface KnownVersions {
  readonly current: Version;
  /** In a grace window, newest first. */
  readonly previous: readonly Version[];
  /** The next one: of a rotation that is not committed yet, or prepared. */
  readonly pending: Version | undefined;
}

/** What a {@linkcode Watch} sees. */
export interface Seen extends KnownVersions {
  /**
   * Whether they are of another database than the last time: it was destroyed, or restored. The first time too, since that
   * may have happened after the program was recorded.
   */
  readonly isOther: boolean;
}

/**
 * The versions of an installation now. They are read as of one moment: a rotation that commits in between would take its
 * key, which is pending no more and not known as the current one yet, out of the file of keys.
 *
 * @throws {RekeyError} `not_initialised` without a secret.
 */
export function versionsOf(installation: Installation): KnownVersions {
  const { database, versions, environment: { app } } = installation;
  return database.snapshot(() => {
    const current = versions.current();
    if (current === undefined) throw notInitialised(app.name);
    return { current, previous: inGrace(installation), pending: versions.pending() };
  });
}

/** Watches which versions there are; survives a missing or replaced database. */
export class Watch {
  readonly #secrets: LiveSecrets;
  #trouble: string | undefined;
  #installation: Installation | undefined;

  constructor(environment: Environment, private readonly warn: (text: string) => void) {
    const valueless = () => Promise.reject(new Error("A watch needs no value"));
    this.#secrets = new LiveSecrets(environment, valueless);
  }

  /** The versions now; `undefined` while they are not known. Each problem is reported once. */
  versions(): Seen | undefined {
    try {
      const { installation } = this.#secrets.view();
      const versions = versionsOf(installation);
      this.#trouble = undefined;
      const isOther = this.#installation !== installation;
      this.#installation = installation;
      return { ...versions, isOther };
    } catch (error) {
      this.#notice(asRefusalOrBug(error));
      return undefined;
    }
  }

  close(): void {
    this.#secrets.close();
  }

  #notice({ code, message }: RekeyError): void {
    // A writer holds the database for an instant only.
    if (code === "busy" || code === this.#trouble) return;
    this.#trouble = code;
    this.warn(
      code === "not_initialised"
        ? "the secret is gone: it was destroyed, or its folder was moved; the program still has it"
        : `rotations are not seen at present: ${message}`,
    );
  }
}
