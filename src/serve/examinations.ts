import { examineCheaply } from "../doctor/examination.ts";
import type { DoctorContext, Finding } from "../doctor/findings.ts";
import type { SecretManager } from "../secret/manager.ts";
import { KeptResult } from "./kept_result.ts";

const KEPT_MS = 60_000;

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

  /** The last findings, which may be a minute old; `undefined` until the first ones are there. Waits for nothing. */
  last(): Examined | undefined {
    return this.#kept?.last();
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
