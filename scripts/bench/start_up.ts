import { Box } from "../../tests/support/box.ts";
import { KeyringBox } from "../../tests/support/keyring.ts";
import { compile } from "../compile.ts";
import { KnownSecret } from "./known_secret.ts";
import { installPeers, peer } from "./peers.ts";
import { type Contender, type Goal, inTurn, milliseconds, type Part } from "./result.ts";

const EMPTY = "empty program";
const NODE = "node with jsonwebtoken";
const PYTHON = "python with PyJWT";

const least = (to: string, ratio: number): Goal => ({ to, sense: "≤", ratio });
const GOALS: Record<string, Goal[]> = {
  "rekey verify, database": [least(EMPTY, 1.4), least(NODE, 0.35), least(PYTHON, 0.6)],
  "rekey status, database": [least(EMPTY, 1.4)],
  "rekey verify, keyring": [least(EMPTY, 1.8)],
  "rekey status, keyring": [least(EMPTY, 1.8)],
  "rekey rotate, database": [least(EMPTY, 3)],
};

/** Whole processes, from their start to their end. */
export async function startUp(rounds: number): Promise<Part> {
  using folder = new Box();
  const empty = await compileEmpty(folder.home);
  const env = await installPeers();
  using database = new Box();
  using rotated = new Box();
  await using keyring = await KeyringBox.start();
  const secret = new KnownSecret();
  await secret.importInto(database);
  await rotated.run(["init", "--store", "database"]);
  await keyring.run(["init"]);
  const [token, ringToken] = [secret.token("somebody"), await keyring.token()];
  const exec = (program: string, ...args: string[]) => () =>
    checked(folder.exec(program, args, { env, stdin: secret.text }));
  const rekey = (box: Box, ...args: string[]) => () => checked(box.run(args));
  const programs: Record<string, () => Promise<unknown>> = {
    [EMPTY]: () => checked(folder.exec(empty, [])),
    "rekey --version": rekey(database, "--version"),
    "rekey verify, database": rekey(database, "verify", token),
    "rekey status, database": rekey(database, "status"),
    "rekey rotate, database": rekey(rotated, "rotate", "--force"),
    "rekey verify, keyring": rekey(keyring, "verify", ringToken),
    "rekey status, keyring": rekey(keyring, "status"),
    [NODE]: exec("node", peer("verify.cjs"), token),
    [PYTHON]: exec("/usr/bin/python3", peer("verify.py"), token),
  };
  const contenders: Contender[] = Object.entries(programs)
    .map(([name, run]) => ({ name, run: () => milliseconds(run) }));
  const medians = await inTurn(contenders, rounds);
  const rows = [...medians].map(([name, value]) => ({
    name,
    value,
    unit: "ms",
    goals: GOALS[name] ?? [],
  }));
  return { title: "Whole processes", rows };
}

async function compileEmpty(folder: string): Promise<string> {
  Deno.writeTextFileSync(`${folder}/empty.js`, "");
  await compile(`${folder}/empty.js`, `${folder}/empty`);
  return `${folder}/empty`;
}

async function checked(ending: Promise<{ code: number; stderr: string }>): Promise<void> {
  const { code, stderr } = await ending;
  if (code !== 0) throw new Error(stderr);
}
