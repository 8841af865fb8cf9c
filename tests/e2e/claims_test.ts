import assert from "node:assert/strict";
import { join } from "node:path";
import { decodeJwt, jwtVerify } from "jose";
import { Box } from "../support/process/box.ts";

async function initialised(): Promise<Box> {
  const box = new Box();
  await box.run(["init", "--store", "database"]);
  return box;
}

async function keyOf(box: Box): Promise<Uint8Array> {
  const { stdout } = await box.run(["exec", "--", "printenv", "JWT_SECRET"]);
  return new TextEncoder().encode(stdout.trim());
}

Deno.test("claims of flags and of a file are in the token, and another library reads them", async () => {
  using box = await initialised();
  const file = join(box.home, "claims.json");
  Deno.writeTextFileSync(file, '{"role": "reader", "from": "file", "n": 1}');
  const hasura = "https://hasura.io/jwt/claims";
  const token = await box.token(
    "alice",
    ...["--claim", "role=editor", "--claim", "equals=a=b:=c", "--claim", "tags:=[1,null,true]"],
    ...["--claim", `${hasura}:={"x-hasura-default-role":"user"}`, "--claims-file", file],
    ...["--aud", "one", "--aud", "two", "--aud", "one", "--scope", "read", "--scope", "write"],
  );
  const { payload } = await jwtVerify(token, await keyOf(box), { audience: "two" });
  const { iat, exp, jti, ...rest } = payload;
  assert.deepEqual(rest, {
    role: "editor",
    from: "file",
    n: 1,
    equals: "a=b:=c",
    tags: [1, null, true],
    [hasura]: { "x-hasura-default-role": "user" },
    sub: "alice",
    aud: ["one", "two"],
    scope: "read write",
  });
  assert.ok(exp! - iat! === 3_600 && jti !== undefined);
  assert.equal((await box.json("verify", token, "--aud", "two")).valid, true);
  assert.equal(decodeJwt(await box.token("bob", "--aud", "one")).aud, "one");
});

Deno.test("a file of claims may be stdin", async () => {
  using box = await initialised();
  const line = ["issue", "--sub", "alice", "--claims-file", "-", "--quiet"];
  const { stdout, stderr } = await box.run(line, { stdin: '{"role":"editor"}' });
  assert.equal(stderr, "");
  assert.equal(decodeJwt(stdout.trim()).role, "editor");
});

Deno.test("claims that rekey sets itself are refused by name, and others that cannot be used", async () => {
  using box = await initialised();
  const refused = async (why: RegExp, args: string[], stdin = "") => {
    const { code, stdout, stderr } = await box.run(["issue", "--sub", "alice", ...args], { stdin });
    assert.deepEqual([code, stdout], [2, ""], `${args}: ${stderr}`);
    assert.match(stderr, why);
    assert.doesNotMatch(stderr, /s3cret|at .*\.ts/);
  };
  for (const name of ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "kid"]) {
    await refused(new RegExp(`Cannot set the claim ${name}: `), ["--claim", `${name}=s3cret`]);
    await refused(
      new RegExp(`Cannot set the claim ${name}: `),
      ["--claims-file", "-"],
      `{"${name}":1}`,
    );
  }
  await refused(/Write name=text, or name:=JSON/, ["--claim", "s3cret"]);
  await refused(/Write name=text/, ["--claim", "=s3cret"]);
  await refused(/Write name=text/, ["--claim", ":=1"]);
  await refused(/after := cannot be read: it is not JSON/, ["--claim", "a:=s3cret"]);
  await refused(/too large to be exact/, ["--claim", "a:=9007199254740993"]);
  await refused(/is there twice/, ["--claim", "a=1", "--claim", "a:=2"]);
  await refused(/which scope is meant/, ["--claim", "scope=a", "--scope", "b"]);
  await refused(/Cannot use stdin: it is not a JSON object/, ["--claims-file", "-"], "[1]");
  await refused(/Cannot use stdin: it is not JSON/, ["--claims-file", "-"], "s3cret");
  await refused(/duplicate member/, ["--claims-file", "-"], '{"a":1,"a":2}');
  await refused(/does not exist/, ["--claims-file", join(box.home, "none")]);
  await refused(/nested too deeply/, ["--claim", `a:=${"[".repeat(64)}${"]".repeat(64)}`]);
  const long = JSON.stringify({ a: "x".repeat(15 * 2 ** 20) });
  await refused(/larger than 262144 bytes/, ["--claims-file", "-"], long);
  await refused(/more than 16384 bytes/, ["--claim", `a=${"x".repeat(17_000)}`]);
  await refused(/more than 16384 characters/, ["--claim", `a=${"x".repeat(14_000)}`]);
});

Deno.test("a token without expiry is accepted only where that is asked for, and ends with its version or its session", async () => {
  using box = await initialised();
  const issue = ["issue", "--sub", "alice", "--no-exp", "--json"];
  const made = await box.run(issue);
  const { token, expires_at, jti } = JSON.parse(made.stdout);
  assert.equal(expires_at, null);
  assert.match(made.stderr, /never expires/);
  assert.equal(decodeJwt(token).exp, undefined);
  assert.equal((await box.json("verify", token)).code, "claim_mismatch");
  assert.equal((await box.json("verify", token, "--allow-no-exp")).valid, true);
  await box.run(["policy", "set", "--allow-no-exp"]);
  assert.equal((await box.json("verify", token)).valid, true);
  const listed = await box.json("session", "list");
  assert.deepEqual([listed.jti, listed.expires_at], [jti, null]);
  assert.match((await box.run(["session", "list"])).stdout, /\bnever\b/);
  const other = JSON.parse((await box.run(issue)).stdout);
  assert.equal((await box.run(["session", "revoke", other.jti])).code, 0);
  assert.equal((await box.json("verify", other.token)).code, "revoked");
  const rotated = await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.match(rotated.stderr, /would have lasted until the next rotation/);
  assert.equal((await box.json("verify", token)).valid, true);
  await box.run(["rotate", "--force"]);
  assert.equal((await box.json("verify", token)).code, "retired_kid");
  assert.equal((await box.run([...issue, "--ttl", "1h"])).code, 2);
});
