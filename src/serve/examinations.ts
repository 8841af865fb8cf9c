import { examineCheaply } from "../doctor/examination.ts";
import type { DoctorContext, Finding } from "../doctor/findings.ts";
import { asRefusalOrBug } from "../core/errors.ts";
import type { SecretManager } from "../secret/manager.ts";

const KEPT_MS = 60_000;

/** What the server's doctor found, and when. */
interface Examined {
  readonly findings: readonly Finding[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The findings of the cheap checks of `doctor`, made at most once a minute, while someone asks. */
export class Examinations {
  #last: Examined | undefined;
  #startedAt = -Infinity;
  #isRunning = false;

  /** @param context `undefined` where there is no doctor to ask. */
  constructor(
    private readonly secrets: SecretManager,
    private readonly context: Omit<DoctorContext, "environment" | "maxAgeMs"> | undefined,
    private readonly maxAgeMs: number,
  ) {}

  /** The last findings, which may be a minute old; `undefined` until the first ones are there. Waits for nothing. */
  last(): Examined | undefined {
    const now = performance.now();
    if (!this.#isRunning && this.context !== undefined && now - this.#startedAt > KEPT_MS) {
      [this.#isRunning, this.#startedAt] = [true, now];
      // A bug in a check must not end a server that verifies tokens.
      this.#examine().catch(asRefusalOrBug).finally(() => this.#isRunning = false);
    }
    return this.#last;
  }

  async #examine(): Promise<void> {
    const { installation } = await this.secrets.open();
    const { environment } = this.secrets;
    const context = { ...this.context!, environment, maxAgeMs: this.maxAgeMs, installation };
    this.#last = { findings: await examineCheaply(context), at: installation.now() };
  }
}
