import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { MIGRATIONS } from "../../src/store/sqlite/schema.ts";
import { Serving } from "../support/http/serving.ts";
import { listener } from "../support/commands/exec_programs.ts";
import { initialised } from "../support/process/initialised.ts";
import { Running } from "../support/process/running.ts";
import { sql } from "../support/store/sql.ts";

// An older binary and this one, and this one and a newer: `deno task upgrade`.

Deno.test("a running server accepts nothing once a newer rekey has migrated the database", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box, ["--workers", "2"]);
  const token = await box.token();
  assert.equal(await serving.auth(token), 204);
  sql(box, `PRAGMA user_version = ${MIGRATIONS.length + 1}`);
  const response = await serving.get("/auth", token);
  assert.equal(response.status, 503);
  assert.equal((await response.json()).code, "database_newer");
  assert.equal(await serving.status(serving.get("/healthz")), 200);
  const metrics = await (await serving.get("/metrics")).text();
  assert.match(metrics, /^rekey_ready 0$/m);
  await serving.until(() => serving.stderr.includes("no secret: database_newer"));
  sql(box, `PRAGMA user_version = ${MIGRATIONS.length}`);
  assert.equal(await serving.auth(token), 204);
});

Deno.test("exec says that a newer rekey has migrated the database, and sees rotations when it has gone back", async () => {
  using box = await initialised();
  await using running = await Running.start(box, listener(), {
    flags: ["--on-rotate", "signal:HUP"],
  });
  sql(box, `PRAGMA user_version = ${MIGRATIONS.length + 1}`);
  await running.until(() => /not seen .*: a newer rekey has migrated it/.test(running.stderr));
  assert.doesNotMatch(running.stdout, /SIGHUP/);
  sql(box, `PRAGMA user_version = ${MIGRATIONS.length}`);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  await running.until(() => running.stdout.includes("SIGHUP"));
});

Deno.test("the copy from before a migration goes with the next value that is destroyed, and with everything", async () => {
  using box = await initialised();
  const copy = `${box.database}.schema1.backup`;
  const isGoneAfter = async (...args: string[]) => {
    Deno.writeTextFileSync(copy, "sealed values");
    const { code, stderr } = await box.run(args);
    assert.equal(code, 0, stderr);
    return !existsSync(copy);
  };
  assert.equal(await isGoneAfter("verify", await box.token()), false);
  assert.equal(await isGoneAfter("rotate", "--force", "--grace", "1h"), true);
  assert.equal(await isGoneAfter("revoke"), true);
  assert.equal(await isGoneAfter("rotate", "--force"), true);
  assert.equal(await isGoneAfter("kek", "rotate"), true);
  assert.equal(await isGoneAfter("destroy", "--force"), true);
});
