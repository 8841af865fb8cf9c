import { isRekeyError, RekeyError } from "../../core/errors.ts";
import { examine, findingsOf, type Section } from "../../doctor/examination.ts";
import {
  type DoctorContext,
  type Finding,
  FINDINGS,
  NOT_USED,
  shellWord,
} from "../../doctor/findings.ts";
import { type Context, type GlobalOptions, variable } from "../context.ts";
import { printable } from "../format.ts";
import { setUpSchedules } from "../schedule/traces.ts";
import type { Output } from "../output.ts";

/** Flags of `rekey doctor`. */
export interface DoctorFlags {
  readonly fix?: boolean;
  /** Seconds. */
  readonly maxAge: number;
}

/** Reports problems; with `--fix` fixes those that can be fixed without risk, and checks again. */
export async function doctor(options: DoctorFlags, context: Context): Promise<void> {
  const { output } = context;
  const examined = doctorContext(options, context);
  const found = await examine(examined);
  const { sections, fixed } = options.fix
    ? await fixedWherePossible(found, examined, output)
    : { sections: found, fixed: [] };
  output.progress("");
  for (const { afterFix } of fixed) if (afterFix !== undefined) output.warning(afterFix);
  const findings = findingsOf(sections);
  const wrong = findings.filter(isWrong);
  const healthy = wrong.length === 0;
  output.result(
    {
      healthy,
      findings: findings.map(described),
      fixed: fixed.map(described),
      not_used: notUsed(sections),
    },
    [
      ...fixed.map(({ what }) => `fixed   ${printable(what)}`),
      ...sections.flatMap(human),
      ...notChecked(sections),
    ],
  );
  if (!healthy) throw problems(wrong);
}

/** Fixes what was found, and examines again. */
async function fixedWherePossible(
  found: readonly Section[],
  examined: DoctorContext,
  output: Output,
): Promise<{ sections: Section[]; fixed: Finding[] }> {
  const before = findingsOf(found);
  for (const finding of before) await tryToFix(finding, output);
  const sections = await examine(examined);
  const left = findingsOf(sections);
  const fixed = before.filter(({ fix, what }) => fix && !left.some((one) => one.what === what));
  return { sections, fixed };
}

// A failed fix becomes a warning, so that the others are still tried.
async function tryToFix({ fix }: Finding, output: Output): Promise<void> {
  try {
    await fix?.();
  } catch (error) {
    if (!isRekeyError(error) && !(error instanceof Deno.errors.PermissionDenied)) throw error;
    output.warning(error.message);
  }
}

function doctorContext(
  { maxAge }: DoctorFlags,
  { secrets, output, globals }: Context,
): DoctorContext {
  return {
    environment: secrets.environment,
    variable,
    maxAgeMs: maxAge * 1000,
    flags: flagsOf(globals),
    schedules: () => setUpSchedules(secrets.environment),
    onProgress: (rows) => output.progress(`${rows} audit rows`),
  };
}

// Suggested commands must name the same secret.
function flagsOf({ app, dataDir, kekFile }: GlobalOptions): string {
  const given: [string, string | undefined][] = [
    ["--app", app],
    ["--data-dir", dataDir],
    ["--kek-file", kekFile],
  ];
  return given.filter(([, value]) => value !== undefined)
    .map(([flag, value]) => `${flag} ${shellWord(value!)}`).join(" ");
}

const isWrong = ({ code }: Finding) => FINDINGS[code].level === "wrong";

function described({ code, what, why, command }: Finding) {
  return { code, level: FINDINGS[code].level, what, why, command };
}

function notUsed(sections: readonly Section[]): string[] {
  return sections.filter(({ findings }) => findings === NOT_USED).map(({ name }) => name);
}

function human({ name, findings }: Section): string[] {
  if (findings === undefined) return [];
  if (findings === NOT_USED) return [`-       ${name}: not used`];
  if (findings.length === 0) return [`ok      ${name}`];
  return findings.flatMap((finding) => {
    const { what, why, command } = finding;
    return [
      `${isWrong(finding) ? "WRONG " : "note  "}  ${printable(what)}`,
      `        ${printable(why)}`,
      ...command === null ? [] : [`        ${shown(command)}`],
    ];
  });
}

// What no command does is a comment for the shell in JSON, and a sentence for people.
function shown(command: string): string {
  return command.startsWith("# ") ? printable(command.slice(2)) : `$ ${printable(command)}`;
}

function notChecked(sections: Section[]): string[] {
  const names = sections.filter(({ findings }) => findings === undefined).map(({ name }) => name);
  return names.length === 0 ? [] : [`?       not checked because of this: ${names.join(", ")}`];
}

function problems(wrong: Finding[]): RekeyError {
  const count = wrong.length === 1 ? "One thing is" : `${wrong.length} things are`;
  const hint = wrong.some(({ fix }) => fix)
    ? "`rekey doctor --fix` fixes what can be fixed without harm"
    : "Do what is shown with each problem";
  return new RekeyError("check_failed", `${count} wrong: ${codes(wrong)}`, { hint });
}

function codes(findings: Finding[]): string {
  return [...new Set(findings.map(({ code }) => code))].join(", ");
}
