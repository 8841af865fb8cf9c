import assert from "node:assert/strict";
import { stepNow } from "../../src/cli/commands/next_step.ts";
import { versionsOf } from "../../src/cli/exec/watch.ts";
import { versionsNow } from "../../src/deliver/key_source.ts";
import { whatLoggedOut } from "../../src/doctor/checks/logged_out.ts";
import type { OpenDoctorContext } from "../../src/doctor/findings.ts";
import { verifyingNumbers } from "../../src/secret/grace.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { nextUse } from "../../src/secret/next_use.ts";
import { revivedIn } from "../../src/secret/revived.ts";
import { SecretView } from "../../src/secret/view.ts";
import type { Installation } from "../../src/store/installation.ts";
import type { Version } from "../../src/store/sqlite/versions.ts";
import { betweenReads, commitRotation } from "../support/faults/between_reads.ts";
import { testEnvironment } from "../support/store/environment.ts";

const numbers = (...rows: readonly (Version | undefined)[]) => rows.map((row) => row?.version);

const TIMES = { maxAgeMs: 86_400_000, standbyMs: 3_600_000 };

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
  "use and size of the next version": (installation) => nextUse(installation, {}),
  "the step of a rotation in two phases": (installation) => {
    const { version, ...step } = stepNow(installation, TIMES);
    return { ...step, version: version.version };
  },
};

/** What never finds anything, as the rotation has a grace window. */
const FINDERS: Record<string, (installation: Installation) => unknown> = {
  "a secret that was brought back": revivedIn,
  "what has logged everyone out": (installation) =>
    whatLoggedOut({ installation, flags: "" } as OpenDoctorContext)[0],
};

const UNTIL = Date.now() + 3_600_000;

/** An installation whose version 2 is prepared to become the current one. It has a smaller secret. */
async function withPrepared(work: (installation: Installation) => void): Promise<void> {
  using environment = testEnvironment();
  const secrets = new SecretManager(environment);
  try {
    await secrets.getOrCreate({ alg: "HS512" });
    const usage = { alg: "HS256", bytes: 32 } as const;
    await secrets.underLock((installation, backend, _turn, note) =>
      backend.prepare(installation, { reason: null, usage }, note)
    );
    work((await secrets.open()).installation);
  } finally {
    secrets.close();
  }
}

/** Looks while a rotation commits after each of the queries that `look` makes. */
async function afterEachQuery<T>(
  look: (installation: Installation) => T,
  check: (installation: Installation, before: T, seen: T, at: number) => void,
): Promise<void> {
  let isReached = true;
  for (let at = 1; isReached; at++) {
    await withPrepared((installation) => {
      const between = () => commitRotation(installation, UNTIL);
      const before = look(installation);
      const { result, reached } = betweenReads(at, between, () => look(installation));
      isReached = reached;
      if (!isReached) between();
      check(installation, before, result, at);
    });
  }
}

for (const [what, read] of Object.entries(READERS)) {
  Deno.test(`${what}: a rotation that commits between two reads is in all of them or in none`, async () => {
    const look = (installation: Installation) => JSON.stringify(read(installation));
    await afterEachQuery(look, (installation, before, seen, at) => {
      const after = look(installation);
      assert.notEqual(after, before);
      assert.ok([before, after].includes(seen), `${at}: ${seen}`);
    });
  });
}

for (const [what, find] of Object.entries(FINDERS)) {
  Deno.test(`${what} is not found when a rotation commits between two reads`, async () => {
    await afterEachQuery(find, (installation, before, seen, at) => {
      assert.deepEqual(
        [before, seen, find(installation)],
        [undefined, undefined, undefined],
        `${at}`,
      );
    });
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
