import { examineCheaply } from "../doctor/examination.ts";
import type { DoctorContext, Finding } from "../doctor/findings.ts";
import type { SecretManager } from "../secret/manager.ts";
import { KeptResult } from "./kept_result.ts";

const KEPT_MS = 60_000;

// Without a wait the first answer would tell a monitor that all is well before anything was looked at; without a limit
// there would be no answer while etcd or a disk hangs.
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
   * Findings of checks that began at most a minute ago. If those take longer than a second: the ones before, or
   * `undefined` when there are none.
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
