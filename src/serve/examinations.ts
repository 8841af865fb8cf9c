import { examineCheaply } from "../doctor/examination.ts";
import type { DoctorContext, Finding } from "../doctor/findings.ts";
import type { SecretManager } from "../secret/manager.ts";
import { KeptResult } from "./kept_result.ts";

const KEPT_MS = 60_000;

// A monitor that is told that all is well before anything was looked at is told something untrue; one that gets no answer
// while etcd or a disk hangs is told nothing.
const WAIT_MS = 1_000;

/** What the server's doctor found, and when. */
interface Examined {
  readonly findings: readonly Finding[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The findings of the cheap checks of `doctor`, made at most once a minute, while someone asks. */
export class Examinations {
  readonly #kept: KeptResult<[], Examined> | undefined;

  /** @param context `undefined` where there is no doctor to ask. */
  constructor(
    secrets: SecretManager,
    context: Omit<DoctorContext, "environment" | "maxAgeMs"> | undefined,
    maxAgeMs: number,
  ) {
    this.#kept = context &&
      new KeptResult(KEPT_MS, () => examinedNow(secrets, { ...context, maxAgeMs }));
  }

  /**
   * Findings that are at most a minute old; if the checks take longer than a second the last ones, or `undefined` before
   * there are any.
   */
  recent(): Promise<Examined | undefined> {
    return this.#kept?.recent(WAIT_MS) ?? Promise.resolve(undefined);
  }
}

async function examinedNow(
  secrets: SecretManager,
  context: Omit<DoctorContext, "environment">,
): Promise<Examined> {
  const { installation } = await secrets.open();
  const { environment } = secrets;
  const findings = await examineCheaply({ ...context, environment, installation });
  return { findings, at: installation.now() };
}
