/**
 * `deno task bench`: whole-process times of the compiled binary beside an empty program compiled with the
 * same runtime, taken in turn in one run, as medians and ratios.
 */
import { DatabaseSync } from "node:sqlite";
import { Box } from "../tests/support/box.ts";
import { KeyringBox } from "../tests/support/keyring.ts";
import { findDenort } from "./denort.ts";

const RUNS = Number(Deno.args[0] ?? 15);
const MANY = 1_000_000;

/** One thing to time; `prepare` gives the arguments of its next run. */
interface Contender {
  readonly name: string;
  readonly run: () => Promise<unknown>;
}

const empty = await compileEmpty();
const [small, large] = [new Box(), new Box()];
const keyring = await KeyringBox.start();
for (const box of [small, large, keyring]) await box.run(["init"]);
addRows(large, MANY);
const tokens = new Map<Box, string>();
for (const box of [small, keyring]) tokens.set(box, await box.token());

const verify = (box: Box) => () => box.run(["verify", tokens.get(box)!]);
const contenders: Contender[] = [
  { name: "empty program", run: () => small.exec(empty, []) },
  { name: "verify, database", run: verify(small) },
  { name: "verify, keyring", run: verify(keyring) },
  { name: "status, database", run: () => small.run(["status"]) },
  { name: "rotate, database", run: () => small.run(["rotate", "--force"]) },
  {
    name: `rotate, database, ${MANY} sessions and audit rows`,
    run: () => large.run(["rotate", "--force"]),
  },
  { name: "rotate, keyring", run: () => keyring.run(["rotate", "--force"]) },
];
print(await measure());
for (const box of [small, large]) box[Symbol.dispose]();
await keyring[Symbol.asyncDispose]();
Deno.removeSync(empty);

async function measure(): Promise<Map<string, number>> {
  const times = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round <= RUNS; round++) {
    for (const { name, run } of contenders) {
      const start = performance.now();
      await run();
      // The first round warms the disk's cache.
      if (round > 0) times.get(name)!.push(performance.now() - start);
    }
  }
  return new Map([...times].map(([name, values]) => [name, median(values)]));
}

function print(medians: Map<string, number>): void {
  const base = medians.get("empty program")!;
  const rows = [...medians].map(([name, ms]) =>
    `| ${name} | ${ms.toFixed(1)} ms | ${(ms / base).toFixed(2)} |\n`
  );
  const { os, arch } = Deno.build;
  const machine =
    `${os} ${arch}, ${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}, ${RUNS} runs`;
  const text = `${machine}\n\n| whole process | median | ratio |\n| --- | --- | --- |\n${
    rows.join("")
  }`;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function compileEmpty(): Promise<string> {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-bench-" });
  Deno.writeTextFileSync(`${folder}/empty.js`, "");
  const denort = await findDenort();
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--quiet",
      "--no-check",
      "--no-code-cache",
      "--no-config",
      "--output",
      `${folder}/empty`,
      `${folder}/empty.js`,
    ],
    env: denort === undefined ? {} : { DENORT_BIN: denort },
  }).output();
  if (!success) throw new Error("The empty program could not be compiled");
  return `${folder}/empty`;
}

/** Sessions of the current version and audit rows, as years of use would leave them. */
function addRows(box: Box, count: number): void {
  const sqlite = new DatabaseSync(box.database);
  sqlite.exec(`BEGIN;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
      INSERT INTO rekey_sessions SELECT 'jti-' || i, 1, 'user', 0, 9e15, NULL FROM n;
    WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < ${count} + 100)
      INSERT INTO rekey_audit SELECT i, '2026-01-01T00:00:00.000Z', 'JWT secret retrieved from keyring', 1, 'k', 'keyring', 1, 'a', NULL, 'h' FROM n;
    COMMIT`);
  sqlite.close();
}
