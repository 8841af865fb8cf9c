import { asRefusal, isRekeyError } from "../core/errors.ts";
import type { SecretManager } from "../secret/manager.ts";
import { pruneByPolicy } from "../secret/pruned_log.ts";

/** How a server says something. */
interface Telling {
  warn(text: string): void;
  remark(text: string): void;
}

/** Removes old rows of the audit log, as its retention says. Why that fails is said once. */
export class Pruning {
  #failure: string | undefined;

  constructor(
    private readonly secrets: SecretManager,
    private readonly telling: Telling,
    private readonly prune = pruneByPolicy,
  ) {}

  async run(): Promise<void> {
    const opened = await this.secrets.open().catch(asRefusal);
    // A secret that cannot be had is reported elsewhere.
    if (isRekeyError(opened)) return;
    const failure = await this.prune(opened.installation).then(() => undefined, asRefusal);
    // Someone else writes: the next run comes in minutes.
    if (failure?.code !== "busy") this.#tell(failure?.message);
  }

  #tell(failure: string | undefined): void {
    if (failure === this.#failure) return;
    this.#failure = failure;
    if (failure !== undefined) this.telling.warn(`the audit log is not pruned: ${failure}`);
    else this.telling.remark("pruning the audit log no longer fails");
  }
}
