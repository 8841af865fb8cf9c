import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { scryptSync } from "node:crypto";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { PASSWORD } from "../support/http/logging_in.ts";
import { Serving } from "../support/http/serving.ts";
import { query } from "../support/store/sql.ts";
import { haveUsers } from "../support/store/users.ts";

const [COMPOSED, DECOMPOSED] = ["Ren\u00e9", "Rene\u0301"];

const add = (box: Box, name: string, stdin: string | Uint8Array = PASSWORD) =>
  box.run(["user", "add", name], { stdin });

async function login(serving: Serving, name: string, password = PASSWORD): Promise<number> {
  const headers = { "content-type": "application/json" };
  // Not by JSON.stringify, which writes half of a surrogate pair as an escape.
  const body = JSON.stringify({ name, password });
  const response = await fetch(`${serving.url}/login`, { method: "POST", headers, body });
  await response.body?.cancel();
  return response.status;
}

async function users(box: Box): Promise<string[]> {
  const { stdout } = await box.run(["user", "list", "--json"]);
  return stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line).user);
}

async function subjects(box: Box, ...args: string[]): Promise<string[]> {
  const { stdout } = await box.run(["session", "list", "--json", ...args]);
  return stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line).sub);
}

Deno.test("a user name is the same however it is typed: at add, login, passwd, sessions and remove", async () => {
  using box = await initialised();
  assert.match((await add(box, DECOMPOSED)).stdout, new RegExp(`Added ${COMPOSED}`));
  assert.deepEqual(await users(box), [COMPOSED]);
  assert.equal((await add(box, COMPOSED)).code, 1, "taken");
  await using serving = await Serving.start(box, ["--workers", "1"]);
  assert.equal(await login(serving, DECOMPOSED), 200);
  assert.equal(await login(serving, "\uff32en\u00e9"), 200, "fullwidth");
  const two = await subjects(box, "--user", DECOMPOSED);
  assert.deepEqual(two, [COMPOSED, COMPOSED]);
  assert.equal((await box.json("session", "revoke", "--user", DECOMPOSED)).ended, 2);
  const passwd = await box.run(["user", "passwd", DECOMPOSED], { stdin: `${PASSWORD}!` });
  assert.equal(passwd.code, 0, passwd.stderr);
  assert.equal(await login(serving, COMPOSED, `${PASSWORD}!`), 200);
  assert.equal((await box.json("user", "remove", DECOMPOSED, "--force")).user, COMPOSED);
  assert.deepEqual(await users(box), []);
});

Deno.test("guesses at one user count together, however the name is typed", async () => {
  using box = await initialised();
  await haveUsers(box, [COMPOSED]);
  await using serving = await Serving.start(box, ["--workers", "1"]);
  const forms = [
    COMPOSED,
    DECOMPOSED,
    "\uff32en\u00e9",
    "R\uff45n\u00e9",
    "Re\uff4e\u00e9",
    "\uff32e\uff4ee\u0301",
  ];
  for (const name of forms.slice(1)) await login(serving, name, "wrong password");
  const rows = query(box, "SELECT name, failures FROM rekey_throttle WHERE kind = 'user'");
  assert.deepEqual(rows.map(({ name, failures }) => [name, failures]), [[COMPOSED, 5]]);
});

Deno.test("users of an older rekey log in as before, whatever their names", async () => {
  using box = await initialised();
  const old = ["\uff21\uff22", "AB", "a\u2665", "x\ufb01"];
  const salt = Buffer.alloc(16, 7);
  const password = "p\ufb01ssword \u00e9";
  // Cheaper than rekey's ever were: that of a password whose forms differ is not replaced.
  const hash = scryptSync(password.normalize("NFKC"), salt, 32, { N: 2 ** 4, r: 8, p: 1 });
  const text = (bytes: Buffer) => bytes.toString("base64").replace(/=+$/, "");
  const stored = `$scrypt$ln=4,r=8,p=1$${text(salt)}$${text(hash)}`;
  for (const name of old) {
    query(box, "INSERT INTO rekey_users VALUES (?, ?, 1, 1, NULL)", name, stored);
  }
  await using serving = await Serving.start(box, ["--workers", "1"]);
  for (const name of old) assert.equal(await login(serving, name, password), 200, name);
  assert.equal(await login(serving, "AB", "pfissword e\u0301"), 200, "compatible forms were one");
  // Each is a user of their own still.
  assert.deepEqual(await subjects(box, "--user", "\uff21\uff22"), ["\uff21\uff22"]);
  assert.equal((await box.json("session", "revoke", "--user", "AB")).ended, 2);
  assert.equal((await add(box, "\uff21B")).code, 1, "their name is taken");
  await box.run(["user", "remove", "a\u2665", "--force"]);
  assert.equal((await add(box, "a\u2665")).code, 2, "no new user gets such a name");
});

Deno.test("a name or password that is not text is refused, and no user is added", async () => {
  using box = await initialised();
  const latin1 = new Uint8Array([...new TextEncoder().encode("correct horse"), 0xe9]);
  const half = new Uint8Array([...new TextEncoder().encode("correct horse"), 0xf0, 0x9f]);
  for (const bytes of [latin1, half, new Uint8Array(12).fill(0xff)]) {
    const { code, stderr, stdout } = await add(box, "bob", bytes);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^error: Cannot use the password: it is not UTF-8\nhint: /);
  }
  for (const password of ["with a \ttab in it", "with\u0000nul and more", "\ufeffbom before it"]) {
    const { code, stderr } = await add(box, "bob", password);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /it has a character that is not allowed/);
  }
  for (const name of ["a\u200bb", "a\u202eb", "a\ufffd", "\ufb01n", "a b", "a\u05d0", ""]) {
    assert.equal((await add(box, name)).code, 2, JSON.stringify(name));
  }
  assert.deepEqual(await users(box), []);
  await haveUsers(box, ["bob"]);
  const set = await box.run(["user", "passwd", "bob"], { stdin: latin1 });
  assert.equal(set.code, 2, set.stderr);
  await using serving = await Serving.start(box, ["--workers", "1"]);
  assert.equal(await login(serving, "bob"), 200, "the password is as it was");
});

Deno.test("requests: what is not UTF-8 is refused, escaped or not, and so is half of a surrogate pair", async () => {
  using box = await initialised();
  await haveUsers(box, ["bob"], "\ufffd".repeat(12));
  await using serving = await Serving.start(box, ["--workers", "1"]);
  assert.equal(await login(serving, "bob", "\ufffd".repeat(12)), 200);
  assert.equal(await login(serving, "bob", "\ud800".repeat(12)), 400);
  assert.equal(await login(serving, "bo\udfff", "x".repeat(12)), 400);
  const bytes = (...parts: (string | number[])[]) =>
    new Uint8Array(
      parts.flatMap((part) =>
        typeof part === "string" ? [...new TextEncoder().encode(part)] : part
      ),
    );
  const post = async (path: string, type: string, body: Uint8Array<ArrayBuffer>) => {
    const headers = { "content-type": type, authorization: `Bearer ${token}` };
    const response = await fetch(`${serving.url}${path}`, { method: "POST", headers, body });
    await response.body?.cancel();
    return response.status;
  };
  const token = await box.token();
  const json = bytes('{"name":"bob","password":"', [0xff, 0xfe], '"}');
  assert.equal(await post("/login", "application/json", json), 400);
  const odd = await box.token("bob", "--aud", "\ufffd");
  const auth = async (aud: string) => {
    const headers = { authorization: `Bearer ${odd}` };
    const response = await fetch(`${serving.url}/auth?aud=${aud}`, { headers });
    await response.body?.cancel();
    return response.status;
  };
  assert.deepEqual([await auth("%EF%BF%BD"), await auth("%FF")], [204, 400]);
  const form = "application/x-www-form-urlencoded";
  assert.equal(await post("/introspect", form, bytes(`token=${token}`)), 200);
  for (const bad of [bytes("token=a%FFb"), bytes("token=a", [0xff]), bytes("token=a&x%C3=1")]) {
    assert.equal(await post("/introspect", form, bad), 400);
  }
});
