import { Box, REKEY } from "../../tests/support/process/box.ts";
import { KeyringBox } from "../../tests/support/keyring/keyring_box.ts";
import { compile } from "../compile.ts";
import { peer } from "./peers.ts";
import { type Goal, inTurn, type Part } from "./result.ts";

const EMPTY = "empty program";
const LEAST = "database, AES-GCM and HMAC, nothing else";

/** Measures one command line as a box's user. */
type Measure = (box: Box, command: string[]) => Promise<number>;

const most = (ratio: number): Goal[] => [{ to: EMPTY, sense: "≤", ratio }];

/**
 * Peak memory of whole processes. The files are as the compiler wrote them: a copy takes some MiB more, of an empty
 * program too.
 */
export async function peak(rounds: number): Promise<Part> {
  const rows = (await measured(peakOf, rounds, true)).map(([name, value]) => {
    return { name, value, unit: "MiB", goals: name === EMPTY ? [] : most(1.15) };
  });
  return { title: "Peak memory of whole processes", rows };
}

const INSTRUCTIONS: Record<string, Goal[]> = {
  [LEAST]: most(1.35),
  "rekey verify, database": most(1.35),
  "rekey status, database": most(1.35),
  "rekey rotate, database": most(2.2),
};

/**
 * What whole processes execute, without the kernel: hardly anything else on a machine changes it, unlike times. Not with
 * the keyring: under valgrind rekey is too slow for the second in which it must answer.
 */
export async function instructions(): Promise<Part> {
  const rows = (await measured(instructionsOf, 1, false)).map(([name, value]) => {
    return { name, value, unit: "million", goals: INSTRUCTIONS[name] ?? [] };
  });
  return { title: "Instructions of whole processes", rows };
}

async function measured(
  measure: Measure,
  rounds: number,
  withKeyring: boolean,
): Promise<[string, number][]> {
  using box = new Box();
  using rotated = new Box();
  await using keyring = await KeyringBox.start();
  const [empty, floor] = [`${box.home}/empty`, `${box.home}/least`];
  Deno.writeTextFileSync(`${empty}.js`, "");
  await compile(`${empty}.js`, empty);
  await compile(peer("least.ts"), floor, ["--allow-read", "--allow-write"]);
  for (const one of [box, rotated]) await one.run(["init", "--store", "database"]);
  await keyring.run(["init"]);
  const [token, ringToken] = [await box.token(), await keyring.token()];
  const programs: [name: string, box: Box, ...command: string[]][] = [
    [EMPTY, box, empty],
    [LEAST, rotated, floor, rotated.database, token],
    ["rekey --version", box, REKEY, "--version"],
    ["rekey verify, database", box, REKEY, "verify", token],
    ["rekey status, database", box, REKEY, "status"],
    ["rekey rotate, database", rotated, REKEY, "rotate", "--force"],
    ["rekey verify, keyring", keyring, REKEY, "verify", ringToken],
    ["rekey status, keyring", keyring, REKEY, "status"],
  ];
  const contenders = programs.filter(([, one]) => withKeyring || one !== keyring)
    .map(([name, one, ...command]) => ({ name, run: () => measure(one, command) }));
  return [...await inTurn(contenders, rounds)];
}

/** Prints the peak of a program's memory in KiB (`ru_maxrss`), which Deno does not tell of its children. */
const MEASURE = `
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ,
  file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, used = os.wait4(child, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
`;

async function peakOf(box: Box, command: string[]): Promise<number> {
  const { code, stdout, stderr } = await box.exec("/usr/bin/python3", ["-c", MEASURE, ...command]);
  if (code !== 0) throw new Error(stderr);
  return Number(stdout) / 1024;
}

async function instructionsOf(box: Box, command: string[]): Promise<number> {
  const tool = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"];
  // V8 writes code at run time.
  const args = [...tool, "--smc-check=all-non-file", ...command];
  const { code, stderr } = await box.exec("/usr/bin/valgrind", args);
  const [, count] = /I +refs: +([\d,]+)/.exec(stderr) ?? [];
  if (code !== 0 || count === undefined) throw new Error(stderr);
  return Number(count.replaceAll(",", "")) / 1e6;
}
