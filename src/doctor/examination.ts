import { asRefusal, isRekeyError } from "../core/errors.ts";
import { ofSameVersions, versionsMark } from "../secret/same_versions.ts";
import type { Installation } from "../store/installation.ts";
import { databaseCheck, openAsFound, refused } from "./checks/database.ts";
import { executableCheck } from "./checks/executable.ts";
import { filesCheck } from "./checks/files.ts";
import { auditStreamCheck } from "./checks/audit_stream.ts";
import { auditCheck, clockCheck, rotationCheck } from "./checks/audit_and_clock.ts";
import { deliveriesCheck } from "./checks/deliveries.ts";
import { fleetCheck } from "./checks/fleet.ts";
import { kekCheck, valuesCheck } from "./checks/values.ts";
import { keyringCheck, programsCheck } from "./checks/keyring.ts";
import { type Finding, NOT_USED, type NotUsed } from "./findings.ts";
import type { DoctorContext, OpenDoctorContext } from "./findings.ts";

/** A part of the examination and its findings. */
export interface Section {
  readonly name: string;
  /** `undefined` when an earlier finding prevented the check. */
  readonly findings: readonly Finding[] | NotUsed | undefined;
}

type CheckResult = Finding[] | NotUsed | undefined;
type Open = Omit<OpenDoctorContext, "begunAt">;
type Check = (context: OpenDoctorContext) => CheckResult | Promise<CheckResult>;

const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ["database", databaseCheck],
  ["key-encryption key", kekCheck],
  ["keyring", keyringCheck],
  ["fleet", fleetCheck],
  ["values", valuesCheck],
  ["audit log", auditCheck],
  ["audit stream", auditStreamCheck],
  ["clock", clockCheck],
  ["rotation", rotationCheck],
  ["programs", programsCheck],
  ["deliveries", deliveriesCheck],
];

// Without the KEK no sealed value can be opened, and no hash of the audit log can be computed.
const KEK_TROUBLE = ["kek_missing", "kek_invalid", "kek_wrong"];
const NEEDS_KEK = ["values", "audit log"];

/** Runs all checks, files first, without changing anything. */
export async function examine(context: DoctorContext): Promise<Section[]> {
  const damaged = executableCheck();
  const files = filesCheck(context);
  const found = damaged.length === 0 ? files : [...damaged, ...files ?? []];
  const sections: Section[] = [{ name: "files", findings: found }];
  const { installation, findings, log } = openAsFound(context);
  if (installation === undefined) {
    const [first, ...others] = CHECKS.map(([name]) => ({ name, findings: undefined }));
    return [...sections, { ...first!, findings }, ...others];
  }
  let sealed = false;
  try {
    for (const [name, check] of CHECKS) {
      const findings = await examined(check, { ...context, installation, log });
      const isBlind = sealed && NEEDS_KEK.includes(name) && findings?.length === 0;
      const isStopped = isKnown(findings, sections);
      sections.push({ name, findings: isBlind || isStopped ? undefined : findings });
      sealed ||= listed(findings).some(({ code }) => KEK_TROUBLE.includes(code));
    }
    return sections;
  } finally {
    installation.close();
  }
}

/** Whether earlier sections have all that a check has found, as when a damaged database ends it. */
function isKnown(findings: CheckResult, sections: readonly Section[]): boolean {
  const found = listed(findings);
  const before = findingsOf(sections);
  return found.length > 0 && distinct([...before, ...found]).length === before.length;
}

// Neither the keyring nor a value is asked for, and no row of a long log is read in vain.
const CHEAP: readonly Check[] = [
  fleetCheck,
  clockCheck,
  rotationCheck,
  programsCheck,
  deliveriesCheck,
];

/** The checks that a running server can make again and again, with the database that it has open. */
export async function examineCheaply(context: Open): Promise<Finding[]> {
  const results: CheckResult[] = [filesCheck(context)];
  for (const check of CHEAP) results.push(await examined(check, context));
  return distinct(results.flatMap(listed));
}

// What seems wrong may be a rotation that was made during the look.
async function examined(check: Check, open: Open): Promise<CheckResult> {
  const context = { ...open, begunAt: performance.now() };
  return await ofSameVersions(
    () => markOf(open.installation),
    () => checked(check, context),
    (findings) => listed(findings).length === 0,
  );
}

// Some damage to the database shows only when rows are read.
async function checked(check: Check, context: OpenDoctorContext): Promise<CheckResult> {
  try {
    return await check(context);
  } catch (error) {
    // Without a version it was destroyed during the look.
    if (!isRekeyError(error) && markOf(context.installation) === NO_VERSIONS) return undefined;
    return [refused(context, asRefusal(error))];
  }
}

const NO_VERSIONS = JSON.stringify([null, null, []]);

// The checks say what is wrong with a database that cannot be read.
function markOf(installation: Installation): string {
  try {
    return versionsMark(installation);
  } catch (error) {
    return asRefusal(error).code;
  }
}

function listed(findings: Section["findings"]): readonly Finding[] {
  return findings === undefined || findings === NOT_USED ? [] : findings;
}

/** All findings without duplicates, in order. */
export function findingsOf(sections: readonly Section[]): Finding[] {
  return distinct(sections.flatMap(({ findings }) => listed(findings)));
}

function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((one) => [`${one.code} ${one.what}`, one])).values()];
}
