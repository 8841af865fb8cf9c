import { isRekeyError, RekeyError } from "../../core/errors.ts";
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
        ? "the secret was destroyed: the program goes on with the old one"
        : `rotations are not seen for now: ${message}`,
    );
  }
}

/** What is no refusal is a mistake in rekey: it is said, and the program is not to suffer for it. */
export function asRefusalOrBug(error: unknown): RekeyError {
  if (isRekeyError(error)) return error;
  const name = error instanceof Error ? error.name : typeof error;
  return new RekeyError("internal", `Internal error, a bug in rekey: ${name}`, { cause: error });
}
