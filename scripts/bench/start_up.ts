import { Box } from "../../tests/support/process/box.ts";
import { KeyringBox } from "../../tests/support/keyring/keyring_box.ts";
import { compile } from "../compile.ts";
import { KnownSecret } from "./known_secret.ts";
import { goalBeside, Older } from "./older.ts";
import { installPeers, peer } from "./peers.ts";
import { type Contender, type Goal, inTurn, milliseconds, type Part } from "./result.ts";

const EMPTY = "empty program";
const LEAST = "database, AES-GCM and HMAC, nothing else";
const NODE = "node with jsonwebtoken";
const PYTHON = "python with PyJWT";

const least = (to: string, ratio: number): Goal => ({ to, sense: "≤", ratio });
const DATABASE = least(EMPTY, 1.35);
const KEYRING = least(EMPTY, 1.6);
const GOALS: Record<string, Goal[]> = {
  // The floor, beside what is missed.
  [LEAST]: [DATABASE],
  "rekey verify, database": [DATABASE, least(NODE, 0.35), least(PYTHON, 0.6)],
  "rekey status, database": [DATABASE],
  "rekey verify, keyring": [KEYRING],
  "rekey status, keyring": [KEYRING],
  "rekey rotate, database": [least(EMPTY, 2.2)],
};

/** Whole processes, from their start to their end; beside an older binary when `REKEY_OLDER` names one. */
export async function startUp(rounds: number): Promise<Part> {
  using folder = new Box();
  const empty = `${folder.home}/empty`;
  Deno.writeTextFileSync(`${empty}.js`, "");
  await compile(`${empty}.js`, empty);
  await compile(peer("least.ts"), `${folder.home}/least`, ["--allow-read", "--allow-write"]);
  const env = await installPeers();
  using database = new Box();
  using rotated = new Box();
  using counted = new Box();
  await using keyring = await KeyringBox.start();
  const secret = new KnownSecret();
  await secret.importInto(database);
  for (const box of [rotated, counted]) await box.run(["init", "--store", "database"]);
  await keyring.run(["init"]);
  await using older = await Older.start(secret);
  const [token, ringToken] = [secret.token("someone"), await keyring.token()];
  const exec = (program: string, ...args: string[]) => () =>
    checked(folder.exec(program, args, { env, stdin: secret.text }));
  const rekey = (box: Box, ...args: string[]) => () => checked(box.run(args));
  const programs: Record<string, () => Promise<unknown>> = {
    [EMPTY]: () => checked(folder.exec(empty, [])),
    [LEAST]: () => checked(folder.exec(`${folder.home}/least`, [counted.database, token])),
    "rekey --version": rekey(database, "--version"),
    "rekey verify, database": rekey(database, "verify", token),
    "rekey status, database": rekey(database, "status"),
    "rekey rotate, database": rekey(rotated, "rotate", "--force"),
    "rekey verify, keyring": rekey(keyring, "verify", ringToken),
    "rekey status, keyring": rekey(keyring, "status"),
    [NODE]: exec("node", peer("verify.cjs"), token),
    [PYTHON]: exec("/usr/bin/python3", peer("verify.py"), token),
  };
  for (const [name, run] of Object.entries(older?.programs() ?? {})) {
    programs[name] = () => checked(run());
  }
  const contenders: Contender[] = Object.entries(programs)
    .map(([name, run]) => ({ name, run: () => milliseconds(run) }));
  const medians = await inTurn(contenders, rounds);
  const rows = [...medians].map(([name, value]) => ({
    name,
    value,
    unit: "ms",
    goals: [
      ...GOALS[name] ?? [],
      ...older === undefined ? [] : goalBeside(name.replace("rekey ", "")),
    ],
  }));
  return { title: "Whole processes", rows };
}

async function checked(ending: Promise<{ code: number; stderr: string }>): Promise<void> {
  const { code, stderr } = await ending;
  if (code !== 0) throw new Error(stderr);
}
