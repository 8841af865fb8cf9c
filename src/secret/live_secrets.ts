import { SingleFlight } from "../core/async.ts";
import type { Secret } from "../core/secret.ts";
import type { Environment } from "../store/environment.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { SecretView, type View } from "./view.ts";

/** A {@linkcode SecretView} for a long-running program: it caches values while their version verifies, or soon will. */
export class LiveSecrets extends SecretView {
  readonly #values = new Map<string, Secret>();
  readonly #fetching = new SingleFlight<Secret>();

  /**
   * @param fetchValue reads a version's value from its store.
   * @param mustBeFresh throws when another machine may have rotated a shared secret.
   */
  constructor(
    environment: Environment,
    private readonly fetchValue: (version: Version) => Promise<Secret>,
    mustBeFresh?: (change: number) => void,
  ) {
    super(environment, mustBeFresh);
  }

  override use(installation: Installation | undefined): void {
    super.use(installation);
    installation?.database.lookOften();
  }

  /** A cached value. */
  keptValue({ kid }: Version): Secret | undefined {
    return this.#values.get(kid);
  }

  /** The value of a version, for verification or its public half. */
  override async valueOf(version: Version): Promise<{ secret: Secret }> {
    const kept = this.#values.get(version.kid);
    if (kept !== undefined) return { secret: kept };
    const secret = await this.#fetching.once(version.kid, () => this.fetchValue(version));
    // After a rotation meanwhile, the value must not be cached.
    if (isOf(this.view(), version.kid)) this.#values.set(version.kid, secret);
    return { secret };
  }

  protected override setAside(): void {
    super.setAside();
    this.#values.clear();
  }

  protected override changed(view: View): void {
    for (const kid of this.#values.keys()) {
      if (!isOf(view, kid)) this.#values.delete(kid);
    }
  }
}

function isOf({ versions, prepared }: View, wanted: string): boolean {
  return prepared?.kid === wanted || versions.some(({ kid }) => kid === wanted);
}
