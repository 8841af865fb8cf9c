import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { EVENTS, newestHead } from "../../src/audit/events.ts";
import { figures, retrievalTimes } from "../../src/audit/figures.ts";
import { recordHistory } from "../../src/audit/history.ts";
import { isLastRotationSigned } from "../../src/audit/last_signed.ts";
import { auditPage } from "../../src/audit/page.ts";
import { countPrunable, findPrunable } from "../../src/audit/prune.ts";
import {
  auditRowsAfter,
  lastRotation,
  listAudit,
  newestTimeUntil,
} from "../../src/audit/reader.ts";
import { columnsAfter } from "../../src/audit/log_parts.ts";
import { AuditSinks, lastSentToAll } from "../../src/audit/sinks.ts";
import type { Sql } from "../../src/core/sql.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { EndedSessions, endedSessions, takeEnded } from "../../src/store/sqlite/ended_sessions.ts";
import { wasUsed } from "../../src/store/sqlite/was_used.ts";
import { Sessions } from "../../src/users/sessions.ts";
import { Throttle } from "../../src/users/throttle.ts";
import { Users } from "../../src/users/users.ts";

const SESSION = { jti: "j", version: 1, sub: "alice", issued_at: 1, expires_at: 2 };
const OF_SESSIONS: Record<keyof Sessions, (sessions: Sessions) => unknown> = {
  add: (sessions) => sessions.add(SESSION),
  find: (sessions) => sessions.find("j"),
  has: (sessions) => sessions.has("alice"),
  revoke: (sessions) => sessions.revoke("j", 1),
  revokeAll: (sessions) => sessions.revokeAll("alice", 1),
  list: (sessions) => [sessions.list(1, 1), sessions.list(1, 1, ["alice", "bob"])],
  open: (sessions) => sessions.open("alice", 1),
  endedOf: (sessions) => sessions.endedOf(["alice", "bob"], 1),
  revoked: (sessions) => sessions.revoked(),
  lastExpiry: (sessions) => sessions.lastExpiry(1),
  activeCount: (sessions) => sessions.activeCount(1, 1, 10),
};

const OF_USERS: Record<keyof Users, (users: Users) => unknown> = {
  find: (users) => users.find("alice"),
  beyondAscii: (users) => users.beyondAscii(),
  list: (users) => users.list(1, "a"),
  add: (users) => users.add("alice", "p", 1),
  setPassword: (users) => users.setPassword("alice", "p", 1),
  setClaims: (users) => users.setClaims("alice", null),
  rehash: (users) => users.rehash("alice", "p", "q"),
  remove: (users) => users.remove("alice"),
};

const OTHERS: Record<string, (sql: Sql) => unknown> = {
  EndedSessions: (sql) => {
    const ended = new EndedSessions(sql, () => "");
    for (let n = 0; n < 2_000; n++) ended.has("j");
  },
  takeEnded: (sql) => takeEnded(sql, { ...SESSION, revoked_at: 1 }),
  endedSessions: (sql) => endedSessions(sql, 1),
  wasUsed,
  throttle: (sql) => {
    new Throttle(sql).attempt([["user", "alice"]], 1);
    new Throttle(sql).takeBack("user", "alice");
    new Throttle(sql).clear("user", "alice");
  },
  newestHead,
  figures,
  retrievalTimes: (sql) => retrievalTimes(sql, [EVENTS.retrievedFromKeyring]),
  recordHistory: (sql) => recordHistory(sql, 60_000, undefined),
  isLastRotationSigned,
  auditPage: (sql) => auditPage(sql, { event: ["x"], actor: ["x"], version: [1], since: 1 }),
  "listAudit of one event": (sql) => listAudit(sql, 1, { is: EVENTS.rotationCompleted, since: 1 }),
  "listAudit with a filter": (sql) => listAudit(sql, 1, { event: ["x"], actor: ["x"] }),
  auditRowsAfter: (sql) => auditRowsAfter(sql, 1, 1),
  columnsAfter: (sql) => columnsAfter(sql, 1, 1),
  lastRotation,
  newestTimeUntil: (sql) => newestTimeUntil(sql, 1),
  prune: (sql) => countPrunable(sql, findPrunable(sql, { before: 1, observationsBefore: 1 }, 2, 3)),
  sinks: (sql) => [new AuditSinks(sql).all(), lastSentToAll(sql)],
};

/** What takes longer with each row, and why it may. docs/performance.md lists them for operators. */
const MAY_GROW: Record<string, string> = {
  "Sessions.has": "asked for a name that is no user's, once a command",
  "Sessions.endedOf": "asked in a fleet only, by `session revoke --user`",
  "Sessions.open": "one user's, who are about to end",
  "Sessions.revokeAll": "one user's, and all of them change",
  "Sessions.revoked": "a restoration reads everything",
  endedSessions: "when a machine joins a fleet, or etcd was restored",
  wasUsed: "asked by `import` where nothing else tells",
  newestTimeUntil: "the first row ends it, unless the clock was ahead",
  "listAudit with a filter": "a command reads until enough rows match",
  prune: "the rows that it removes, and the first that stays",
};

const LARGE = "rekey_(sessions|users|audit|throttle)";

// A scan reads each row of a table, or of an index; an index that is not covering has SQLite look up the row of each entry.
function grows(sql: string, plan: string): boolean {
  if (sql.endsWith("FROM rekey_audit ORDER BY seq DESC LIMIT 1")) return false;
  if (plan === "SCAN rekey_users USING COVERING INDEX rekey_users_beyond_ascii") return false;
  // As many as are kept in memory.
  if (plan === "SCAN rekey_sessions USING COVERING INDEX rekey_sessions_ended") return false;
  // Newest first, until enough are open.
  if (plan === "SCAN rekey_sessions USING COVERING INDEX rekey_sessions_newest") return false;
  return new RegExp(`^SCAN ${LARGE}( |$)|^SEARCH rekey_sessions USING INDEX`).test(plan);
}

/** Lines of SQLite's plans that grow, after the name of what is asked. */
function growing(database: Database): [name: string, line: string][] {
  const found: [string, string][] = [];
  const recording = (name: string): Sql => {
    const noted = (sql: string) => {
      const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
      const lines = plan.map(({ detail }) => String(detail)).filter((line) => grows(sql, line));
      found.push(...lines.map((line) => [name, line] as [string, string]));
      return sql;
    };
    return {
      prepare: (sql) => database.prepare(noted(sql)),
      prepareArrays: (sql) => database.prepareArrays(noted(sql)),
    };
  };
  for (const [name, ask] of Object.entries(OF_SESSIONS)) {
    ask(new Sessions(recording(`Sessions.${name}`)));
  }
  for (const [name, ask] of Object.entries(OF_USERS)) ask(new Users(recording(`Users.${name}`)));
  for (const [name, ask] of Object.entries(OTHERS)) ask(recording(name));
  return found;
}

Deno.test("nothing that is asked of the database takes longer with each row, but for what must", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const database = Database.open(join(folder, "a.db"));
  database.prepare("PRAGMA foreign_keys = OFF").run();
  const found = growing(database);
  assert.deepEqual(found.filter(([name]) => !(name in MAY_GROW)), []);
  assert.deepEqual([...new Set(found.map(([name]) => name))].sort(), Object.keys(MAY_GROW).sort());
  database.close();
  Deno.removeSync(folder, { recursive: true });
});

// What reads one row by its number, or a whole log for whoever verifies it.
const NOT_ASKED = ["audit/chain.ts", "audit/chain_walk.ts", "audit/verify_chain.ts"];

Deno.test("every part of the program that asks a large table is asked here", () => {
  const root = join(import.meta.dirname!, "../..");
  const asks = new RegExp(`\\b(FROM|JOIN|INTO|UPDATE) ${LARGE}\\b`);
  const parts = [...sourcesBelow(join(root, "src"))]
    .filter((path) => asks.test(Deno.readTextFileSync(path)))
    .map((path) => relative(join(root, "src"), path));
  const here = Deno.readTextFileSync(join(import.meta.dirname!, "query_plans_test.ts"));
  const asked = (part: string) => here.includes(`from "../../src/${part}"`);
  assert.deepEqual(parts.filter((part) => !asked(part)).sort(), NOT_ASKED);
});

function* sourcesBelow(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* sourcesBelow(path);
    else if (name.endsWith(".ts")) yield path;
  }
}
