import { Box } from "../../tests/support/process/box.ts";
import { type Contender, inTurn, milliseconds, type Part } from "./result.ts";
import { fillLog } from "../../tests/support/store/filled_log.ts";
import { sql } from "../../tests/support/store/sql.ts";

const SIZES = [10, 1_000, 1_000_000];

// Names that are not in the order of time, as those of real tokens are not: SQLite reads rows in order faster.
const [SPREAD, PRIME] = [7_919, 1_000_003];

const COMMANDS: Record<string, (box: Filled) => string[]> = {
  verify: ({ token }) => ["verify", token],
  status: () => ["status"],
  issue: () => ["issue", "--sub", "u1"],
  rotate: () => ["rotate", "--force"],
  "session list": () => ["session", "list"],
  "session list --user": () => ["session", "list", "--user", "u1"],
  "session revoke": (box) => ["session", "revoke", `jti-${++box.revoked * SPREAD % PRIME}`],
  "user list": () => ["user", "list"],
  "user remove": (box) => ["user", "remove", "--force", `u${++box.removed}`],
  "audit list": () => ["audit", "list"],
  stats: () => ["stats"],
};

/** A box with many rows of everything. */
interface Filled {
  readonly box: Box;
  readonly token: string;
  /** How many sessions and users are gone: the next one is taken away. */
  revoked: number;
  removed: number;
}

/** Whole processes as the work grows: so many sessions, users and audit rows. */
export async function growth(rounds: number): Promise<Part> {
  const filled = await Promise.all(SIZES.map(fill));
  // Of their own: a rotation ends the session that others verify or revoke.
  const rotated = await Promise.all(SIZES.map(fill));
  const contenders: Contender[] = [];
  for (const [command, args] of Object.entries(COMMANDS)) {
    for (const [i, box] of (command === "rotate" ? rotated : filled).entries()) {
      contenders.push({ name: `${command} ${SIZES[i]}`, run: () => timed(box, args(box)) });
    }
  }
  const medians = await inTurn(contenders, rounds);
  const lines = [
    `| command | ${SIZES.map((size) => size.toLocaleString("en")).join(" | ")} | last : first |`,
    `| --- |${" ---: |".repeat(SIZES.length + 1)}`,
  ];
  for (const command of Object.keys(COMMANDS)) {
    const values = SIZES.map((size) => medians.get(`${command} ${size}`)!);
    const ratio = values.at(-1)! / values[0]!;
    lines.push(
      `| ${command} | ${values.map((ms) => `${ms.toFixed(1)} ms`).join(" | ")} | ${
        ratio.toFixed(2)
      } |`,
    );
  }
  [...filled, ...rotated].forEach(({ box }) => box[Symbol.dispose]());
  return { title: "As sessions, users and audit rows grow", rows: [], text: lines.join("\n") };
}

async function timed({ box }: Filled, args: string[]): Promise<number> {
  return await milliseconds(async () => {
    const { code, stderr } = await box.run(args);
    if (code !== 0) throw new Error(`${args}: ${stderr}`);
  });
}

async function fill(count: number): Promise<Filled> {
  const box = new Box();
  await box.run(["init", "--store", "database"]);
  const token = await box.token();
  const rows = (from: number) =>
    `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${
      from + count
    })`;
  const now = Date.now();
  const statements = `BEGIN;
    ${rows(1)} INSERT INTO rekey_sessions
      SELECT 'jti-' || (i * ${SPREAD} % ${PRIME}), 1, 'u' || (i % 1000), ${now} + i, ${now} + 86400000 + i, NULL FROM n;
    ${rows(1)} INSERT INTO rekey_users SELECT 'u' || i, 'x', ${now}, ${now}, NULL FROM n;
    COMMIT`;
  sql(box, statements);
  await fillLog(box, count);
  // The rows are in the log's tree, as those are that each rotation finds but for the newest.
  await box.run(["audit", "checkpoint"]);
  return { box, token, revoked: 0, removed: 0 };
}
