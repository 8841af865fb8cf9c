import assert from "node:assert/strict";
import { join } from "node:path";
import { must } from "../../scripts/program.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { LOOK_MS } from "../../src/store/sqlite/path_look.ts";
import { WalIndex } from "../../src/store/sqlite/wal_index.ts";
import { sleepSync } from "../../src/system/files.ts";
import { SYSTEM } from "../../src/system/system.ts";

// A library that is loaded during a test counts as left open by it.
SYSTEM.quickLooks();

const ignore = SYSTEM.os !== "linux";

/** A folder with a database in it, which a server looks at often, and another connection to it. */
function withDatabases(use: (path: string, looked: Database, other: Database) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const path = join(folder, "a.db");
  const [looked, other] = [Database.open(path), Database.open(path)];
  try {
    looked.lookOften();
    use(path, looked, other);
  } finally {
    for (const database of [looked, other]) database.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

function commit(database: Database): void {
  const sql = "INSERT OR REPLACE INTO rekey_meta VALUES ('x', hex(randomblob(8)))";
  database.transaction(() => database.prepare(sql).run());
}

Deno.test("a server sees each commit of another connection, and asks SQLite about nothing else", {
  ignore,
}, () => {
  withDatabases((path, looked, other) => {
    const index = WalIndex.of(path)!;
    assert.ok(index, "the index is mapped");
    index.isAsBefore();
    for (let round = 0; round < 100; round++) {
      const before = looked.change();
      assert.ok(index.isAsBefore());
      assert.equal(looked.change(), before);
      commit(other);
      assert.ok(!index.isAsBefore());
      assert.notEqual(looked.change(), before);
    }
  });
});

Deno.test(
  "a server sees commits when the log is emptied, restarted, and after its own",
  { ignore },
  () => {
    withDatabases((_, looked, other) => {
      for (const write of [commit, (database: Database) => assert.ok(database.truncateLog())]) {
        for (const writer of [other, looked]) {
          write(writer);
          const before = looked.change();
          commit(other);
          const after = looked.change();
          assert.notEqual(after, before);
          commit(looked);
          assert.notEqual(looked.change(), after);
        }
      }
    });
  },
);

Deno.test("a server that could not ask SQLite asks again, and does not take the commit for seen", {
  ignore,
}, () => {
  withDatabases((_, looked, other) => {
    const before = looked.change();
    commit(other);
    const failing = looked.explain.bind(looked);
    looked.explain = () => {
      throw new Error("busy");
    };
    assert.throws(() => looked.change(), /busy/);
    looked.explain = failing;
    assert.notEqual(looked.change(), before);
  });
});

Deno.test("a commit of another process is seen once it has ended", { ignore }, async () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const path = join(folder, "a.db");
  const looked = Database.open(path);
  looked.lookOften();
  const script = `import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("INSERT OR REPLACE INTO rekey_meta VALUES ('x', hex(randomblob(8)))")
db.commit()`;
  for (let round = 0; round < 3; round++) {
    const before = looked.change();
    await must("/usr/bin/python3", ["-c", script, path]);
    assert.notEqual(looked.change(), before);
    assert.equal(looked.change(), looked.change());
  }
  looked.close();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("another process's locks on the index stay when a server looks at it", { ignore }, () => {
  withDatabases((path, _, other) => {
    // With an open transaction the log cannot be restarted, unless this process has lost its locks.
    const reading = Database.open(path);
    reading.lookOften();
    reading.transaction(() => {
      const statement = reading.prepare("SELECT count(*) AS n FROM settings");
      const { n } = statement.get()!;
      assert.throws(() => other.transaction(() => {}, { waitMs: 0 }), { code: "busy" });
      assert.equal(statement.get()!.n, n);
    });
    reading.close();
  });
});

Deno.test("a look at a path sees that another file is there, or none", { ignore }, () => {
  withDatabases((path, looked) => {
    assert.equal(looked.wasReplaced(), false);
    Deno.copyFileSync(path, `${path}.copy`);
    Deno.renameSync(path, `${path}.old`);
    sleepSync(LOOK_MS);
    assert.equal(looked.wasReplaced(), true, "nothing is there");
    Deno.renameSync(`${path}.copy`, path);
    assert.equal(looked.wasReplaced(), true, "a copy is there");
    Deno.renameSync(`${path}.old`, path);
    assert.equal(looked.wasReplaced(), false);
  });
});

Deno.test(
  "a commit returns when no server counts on a look from before its connection was opened",
  { ignore },
  () => {
    withDatabases((path) => {
      // Opening alone often takes longer, so that not every round would show it.
      for (let round = 0; round < 50; round++) {
        const began = performance.now();
        const other = Database.open(path);
        other.transaction(() => {}, { durable: false });
        const took = performance.now() - began;
        other.close();
        assert.ok(took >= LOOK_MS, `${took} ms`);
      }
    });
  },
);

Deno.test("a file that SQLite has not mapped is not taken for its index", { ignore }, () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const path = join(folder, "a.db");
  Deno.writeFileSync(`${path}-shm`, new Uint8Array(32_768).fill(1));
  assert.equal(WalIndex.of(path), undefined);
  assert.equal(WalIndex.of(join(folder, "missing.db")), undefined);
  Deno.removeSync(folder, { recursive: true });
});
