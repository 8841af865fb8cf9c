import { SingleFlight } from "../core/async.ts";
import type { Secret } from "../core/secret.ts";
import type { Environment } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { SecretView, type View } from "./view.ts";

/** The reading half for a program that runs for long: it keeps values for as long as their version verifies. */
export class LiveSecrets extends SecretView {
  readonly #values = new Map<string, Secret>();
  readonly #fetching = new SingleFlight<Secret>();

  /**
   * @param fetchValue gets a version's value from where it lives.
   * @param mustBeFresh throws when it is not known whether another machine has rotated a shared secret.
   */
  constructor(
    environment: Environment,
    private readonly fetchValue: (version: Version) => Promise<Secret>,
    mustBeFresh?: (change: number) => void,
  ) {
    super(environment, mustBeFresh);
  }

  /** A value that was fetched before. */
  keptValue({ kid }: Version): Secret | undefined {
    return this.#values.get(kid);
  }

  /** The value of a version, for verification. */
  override async valueOf(version: Version): Promise<{ secret: Secret }> {
    const kept = this.#values.get(version.kid);
    if (kept !== undefined) return { secret: kept };
    const secret = await this.#fetching.once(version.kid, () => this.fetchValue(version));
    // A rotation in between has made it a value that must not be kept.
    if (this.view().versions.some(({ kid }) => kid === version.kid)) {
      this.#values.set(version.kid, secret);
    }
    return { secret };
  }

  protected override setAside(): void {
    super.setAside();
    this.#values.clear();
  }

  protected override changed({ versions }: View): void {
    for (const kid of this.#values.keys()) {
      if (!versions.some((row) => row.kid === kid)) this.#values.delete(kid);
    }
  }
}
