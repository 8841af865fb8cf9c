import { asRefusalOrBug, type RekeyError } from "../../core/errors.ts";
import { LiveSecrets } from "../../secret/live_secrets.ts";
import type { Environment } from "../../store/installation.ts";

/** Tells which version is current, whatever happens to the database. */
export class Watch {
  readonly #secrets: LiveSecrets;
  #trouble: string | undefined;

  constructor(environment: Environment, private readonly warn: (text: string) => void) {
    const valueless = () => Promise.reject(new Error("A watch needs no value"));
    this.#secrets = new LiveSecrets(environment, valueless);
  }

  /** Its kid; `undefined` while that cannot be told. What the operator should know is said once. */
  current(): string | undefined {
    try {
      const [current] = this.#secrets.view().versions;
      this.#trouble = undefined;
      return current!.kid;
    } catch (error) {
      this.#notice(asRefusalOrBug(error));
      return undefined;
    }
  }

  close(): void {
    this.#secrets.close();
  }

  #notice({ code, message }: RekeyError): void {
    // Others write for an instant.
    if (code === "busy" || code === this.#trouble) return;
    this.#trouble = code;
    this.warn(
      code === "not_initialised"
        ? "the secret is gone: it was destroyed, or its folder moved; the program goes on with it"
        : `rotations are not seen for now: ${message}`,
    );
  }
}
