import assert from "node:assert/strict";
import { versionsOf } from "../../src/cli/exec/watch.ts";
import { versionsNow } from "../../src/deliver/key_source.ts";
import { verifyingNumbers } from "../../src/secret/grace.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { SecretView } from "../../src/secret/view.ts";
import type { Installation } from "../../src/store/installation.ts";
import type { Version } from "../../src/store/sqlite/versions.ts";
import { betweenReads, commitRotation } from "../support/faults/between_reads.ts";
import { testEnvironment } from "../support/store/environment.ts";

const numbers = (...rows: readonly (Version | undefined)[]) => rows.map((row) => row?.version);

/** What decides by versions, as their numbers. */
const READERS: Record<string, (installation: Installation) => unknown> = {
  "the file of keys of exec": (installation) => {
    const { current, pending, previous } = versionsOf(installation);
    return numbers(current, pending, ...previous);
  },
  "deliveries": (installation) => {
    const { current, prepared, previous } = versionsNow(installation);
    return numbers(current, prepared, ...previous);
  },
  "open sessions": (installation) => [...verifyingNumbers(installation)],
  "what verifies": (installation) => {
    const view = new SecretView(installation.environment);
    view.use(installation);
    const { versions, prepared } = view.view();
    return numbers(...versions, prepared);
  },
};

const UNTIL = Date.now() + 3_600_000;

/** An installation whose version 2 is prepared to become the current one. */
async function withPrepared(work: (installation: Installation) => void): Promise<void> {
  using environment = testEnvironment();
  const secrets = new SecretManager(environment);
  try {
    await secrets.getOrCreate();
    await secrets.underLock((installation, backend, _turn, note) =>
      backend.prepare(installation, { reason: null, usage: {} }, note)
    );
    work((await secrets.open()).installation);
  } finally {
    secrets.close();
  }
}

for (const [what, read] of Object.entries(READERS)) {
  Deno.test(`${what}: a rotation that commits between two reads is in all of them or in none`, async () => {
    const found = new Set<string>();
    let isReached = true;
    for (let at = 1; isReached; at++) {
      await withPrepared((installation) => {
        const between = () => commitRotation(installation, UNTIL);
        const before = JSON.stringify(read(installation));
        const { result, reached } = betweenReads(
          installation,
          at,
          between,
          () => read(installation),
        );
        isReached = reached;
        if (!isReached) between();
        const after = JSON.stringify(read(installation));
        assert.notEqual(after, before);
        assert.ok(
          [before, after].includes(JSON.stringify(result)),
          `${at}: ${JSON.stringify(result)}`,
        );
        found.add(after);
      });
    }
    assert.equal(found.size, 1, "always the same rotation");
  });
}

Deno.test("a commit during a snapshot is not missed afterwards", async () => {
  await withPrepared((installation) => {
    const { database, versions } = installation;
    database.lookOften();
    const before = database.change();
    const seen = database.snapshot(() => {
      const first = versions.current()!.version;
      commitRotation(installation, UNTIL);
      return [first, database.change(), versions.current()!.version];
    });
    assert.deepEqual(seen, [1, before, 1]);
    assert.notEqual(database.change(), before);
    assert.equal(versions.current()!.version, 2);
  });
});
