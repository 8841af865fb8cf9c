import assert from "node:assert/strict";
import type { Finding, FindingCode } from "../../../src/doctor/findings.ts";
import type { Box, RunOptions } from "../process/box.ts";

/** A finding as `doctor --json` prints it. */
export type Printed = Pick<Finding, "code" | "what" | "why" | "command"> & {
  level: "wrong" | "note";
};

/** What `doctor --json` says, checked against its exit status and its text for people. */
export async function examined(box: Box, args: string[] = [], options: RunOptions = {}) {
  const { code, stdout, stderr } = await box.run(["doctor", "--json", ...args], options);
  assert.equal(stdout.trim().split("\n").length, 1, stderr);
  const { not_used, ...report } = JSON.parse(stdout) as {
    healthy: boolean;
    findings: Printed[];
    fixed: Printed[];
    not_used: string[];
  };
  assert.ok(Array.isArray(not_used));
  const wrong = report.findings.filter(({ level }) => level === "wrong");
  assert.equal(report.healthy, wrong.length === 0);
  assert.equal(code, wrong.length === 0 ? 0 : 5, stderr);
  for (const { what, why, command } of report.findings) {
    for (const text of [what, why]) assert.match(text, /^\S.{15,}[^.]$/);
    assert.notEqual(command, "");
  }
  return report;
}

/**
 * Examines, and makes sure that this was found, and nothing else that is wrong.
 *
 * @returns the finding.
 */
export async function found(
  box: Box,
  code: FindingCode,
  args: string[] = [],
  options: RunOptions = {},
): Promise<Printed> {
  const { findings } = await examined(box, args, options);
  const finding = findings.find((one) => one.code === code);
  assert.ok(finding, `${code} is not among ${JSON.stringify(findings)}`);
  const others = findings.filter((one) => one.level === "wrong" && one.code !== code);
  assert.deepEqual(others, []);
  return finding;
}

/** `doctor --fix` fixes this finding, and leaves nothing to fix. */
export async function fixes(box: Box, code: FindingCode): Promise<void> {
  const { fixed } = await examined(box, ["--fix"]);
  assert.ok(fixed.some((one) => one.code === code), `${code} was not fixed`);
  const { fixed: again, findings } = await examined(box, ["--fix"]);
  assert.deepEqual(again, []);
  assert.ok(!findings.some((one) => one.code === code));
}

/** Runs the command that stands with a finding, as a person would in a shell. */
export async function follow(box: Box, { command }: Printed, path: string): Promise<void> {
  const { code, stderr } = await box.exec("/bin/sh", ["-c", command!], {
    env: { PATH: `${path}:/usr/bin:/bin` },
  });
  assert.equal(code, 0, `${command}: ${stderr}`);
}

/** The lines of `doctor` for people that begin with a word: `ok`, `note`, `WRONG`, `-` for what is not used. */
export async function lines(box: Box, word: string, args: string[] = []): Promise<string[]> {
  const { stdout } = await box.run(["doctor", ...args]);
  return stdout.split("\n").filter((line) => line.startsWith(`${word} `))
    .map((line) => line.slice(word.length).trim());
}
