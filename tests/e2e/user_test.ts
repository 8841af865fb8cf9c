import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { haveUsers } from "../support/store/users.ts";

const PASSWORD = "a long enough password";

async function withUsers(...names: string[]): Promise<Box> {
  const box = await initialised();
  await haveUsers(box, names);
  return box;
}

Deno.test("users are added, listed, given a new password and removed; no password is kept or shown", async () => {
  using box = await initialised();
  for (const name of ["alice", "bob"]) {
    const { code, stderr } = await box.run(["user", "add", name], { stdin: `${PASSWORD}\n` });
    assert.equal(code, 0, stderr);
  }
  const list = await box.run(["user", "list", "--json"]);
  const users = list.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(users.map(({ user }) => user), ["alice", "bob"]);
  assert.deepEqual(Object.keys(users[0]), ["user", "created_at", "changed_at"]);
  const again = await box.run(["user", "add", "alice"], { stdin: PASSWORD });
  assert.equal(again.code, 1);
  assert.match(again.stderr, /the name is taken/);
  assert.equal((await box.run(["user", "passwd", "bob"], { stdin: "another password" })).code, 0);
  assert.equal(
    (await box.run(["user", "remove", "bob"])).code,
    2,
    "there is no terminal to ask on",
  );
  assert.equal((await box.run(["user", "remove", "bob", "--force"])).code, 0);
  assert.equal((await box.run(["user", "remove", "bob", "--force"])).code, 1);
  for (const [path, bytes] of box.files()) {
    assert.ok(!Buffer.from(bytes).includes(PASSWORD), path);
  }
  const events = (await box.run(["audit", "list"])).stdout;
  for (const event of ["User added", "Password changed", "User removed"]) {
    assert.ok(events.includes(event), event);
  }
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("sessions are listed and ended, one or all of a user's", async () => {
  using box = await withUsers("alice", "bob");
  const tokens = [];
  for (const sub of ["alice", "alice", "bob"]) {
    tokens.push(await box.json("issue", "--sub", sub));
  }
  const list = async (...args: string[]) => {
    const { stdout } = await box.run(["session", "list", "--json", ...args]);
    return stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  };
  assert.equal((await list()).length, 3);
  assert.deepEqual((await list("--user", "bob")).map(({ jti }) => jti), [tokens[2].jti]);
  assert.equal((await list("--limit", "1")).length, 1);
  assert.equal((await box.run(["session", "revoke", tokens[2].jti])).code, 0);
  assert.equal((await box.json("verify", tokens[2].token)).code, "revoked");
  assert.equal((await box.run(["session", "revoke", tokens[2].jti])).code, 1);
  assert.equal((await box.json("session", "revoke", "--user", "alice")).ended, 2);
  assert.equal((await box.json("verify", tokens[0].token)).code, "revoked");
  assert.deepEqual(await list(), []);
  for (const args of [[], ["x", "--user", "y"]]) {
    assert.equal((await box.run(["session", "revoke", ...args])).code, 2);
  }
});

Deno.test("a removed user's open tokens are refused at once", async () => {
  using box = await withUsers("alice");
  const token = await box.token("alice");
  await box.run(["user", "remove", "alice", "--force"]);
  assert.equal((await box.json("verify", token)).code, "revoked");
});

Deno.test("users are listed by name, a page at a time", async () => {
  const names = ["ann", "bob", "cid", "dan", "eve"];
  using box = await withUsers(...names.toReversed());
  const page = async (...args: string[]) => {
    const { stdout, stderr } = await box.run(["user", "list", ...args]);
    return { names: stdout.trim().split("\n").slice(1).map((row) => row.split(" ")[0]), stderr };
  };
  assert.deepEqual((await page()).names, names);
  const first = await page("--limit", "2");
  assert.deepEqual([first.names, first.stderr.trim()], [
    ["ann", "bob"],
    "there are more: --after bob",
  ]);
  assert.deepEqual((await page("--limit", "3", "--after", "bob")).names, ["cid", "dan", "eve"]);
  assert.equal((await page("--limit", "3", "--after", "bob")).stderr, "");
});
