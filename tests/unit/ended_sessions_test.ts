import assert from "node:assert/strict";
import { positionIn, rememberPosition, takeOverEnded } from "../../src/cluster/ended_sessions.ts";
import { SecretView } from "../../src/secret/view.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { takeEnded } from "../../src/store/sqlite/ended_sessions.ts";
import { testEnvironment } from "../support/store/environment.ts";

// More looks than it takes until the revoked sessions are read, and more of these than are kept.
const LOOKS = 1_500;
const MANY = 10_500;

for (const revoked of [0, 3, MANY]) {
  Deno.test(`a session counts as revoked from the commit on, beside ${revoked} others`, async () => {
    using environment = testEnvironment();
    const secrets = new SecretManager(environment);
    await secrets.getOrCreate();
    const view = new SecretView(environment);
    const { database } = view.view().installation;
    const end = (...names: string[]) => {
      const row = { version: 1, sub: "alice", issued_at: 1, expires_at: 2, revoked_at: 3 };
      database.transaction(() => names.forEach((jti) => takeEnded(database, { jti, ...row })));
    };
    const before = Array.from({ length: revoked }, (_, n) => `before-${n}`);
    end(...before);
    // What one turn of the event loop has seen it goes on with.
    await Promise.resolve();
    for (let n = 0; n < LOOKS; n++) assert.ok(!view.view().isRevoked("other"));
    for (const jti of before) assert.ok(view.view().isRevoked(jti), jti);
    // A request that waits for its key goes on with the view from before.
    const waiting = view.view();
    end("other");
    assert.ok(waiting.isRevoked("other"));
    await Promise.resolve();
    assert.ok(view.view().isRevoked("other"));
    assert.ok(!view.view().isRevoked("another"));
    view.close();
    secrets.close();
  });
}

Deno.test("a database that was replaced while etcd was read is read for from its own position", async () => {
  using environment = testEnvironment();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate();
  const { installation } = await secrets.open();
  const session = { version: 1, sub: "alice", issued_at: 1, expires_at: 2, revoked_at: 3 };
  const found = { key: `/state/revoked/${"n".repeat(43)}`, value: "", modified: 7 };
  const value = JSON.stringify({ jti: "ended", ...session });
  const from = { revision: 5, name: "m".repeat(43), digest: "of the database before" };
  takeOverEnded(installation, from, [{ ...found, value }]);
  assert.equal(positionIn(installation.meta).revision, 0, "what came before 5 is not here");
  assert.ok(new SecretView(environment).view().isRevoked("ended"));
  installation.database.transaction(() => rememberPosition(installation.meta, from));
  takeOverEnded(installation, from, [{ ...found, value }]);
  assert.equal(positionIn(installation.meta).revision, 7);
  secrets.close();
});
