import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { SignJWT } from "jose";
import { Box, REKEY } from "../support/process/box.ts";
import { copyOf } from "../support/process/copied.ts";
import { THOROUGH } from "../support/process/sample.ts";

// As an application with a hard-coded secret signs: without a kid.
function sign(key: Uint8Array, alg = "HS256"): Promise<string> {
  return new SignJWT({ sub: "old" }).setProtectedHeader({ alg }).setExpirationTime("1h").sign(key);
}

Deno.test("an imported secret keeps its tokens valid, and can be rotated away with a grace window", async () => {
  using box = new Box();
  const hardCoded = "correct horse battery staple, twice over";
  const old = await sign(new TextEncoder().encode(hardCoded));
  const env = { JWT_SECRET: hardCoded };
  const args = ["import", "--from-env", "JWT_SECRET", "--alg", "HS256"];
  const first = await box.run([...args, "--json"], { env });
  assert.equal(first.code, 0, first.stderr);
  const { version, imported, key_form } = JSON.parse(first.stdout);
  assert.deepEqual([version, imported, key_form], [1, true, "text"]);
  assert.equal((await box.json("verify", old)).version, 1);

  assert.match((await box.run(args, { env })).stdout, /^Nothing to do: .*imported before/);
  using other = copyOf(box);
  const told = await other.run([...args, "--then-rotate", "--grace", "24h"], { env });
  assert.match(told.stdout, /^The secret was imported before as version 1 .*\nRotated /);
  const soft = await box.run([...args, "--then-rotate", "--grace", "24h", "--json"], { env });
  const [again, rotated] = soft.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([again.imported, rotated.version], [false, 2]);
  assert.equal((await box.json("verify", old)).version, 1, "its tokens verify in the grace window");
  assert.equal((await box.json("verify", await box.token())).version, 2);

  const third = await box.run([...args, "--then-rotate"], { env });
  assert.match(third.stdout, /imported before as version 1 .* which is previous/);
  assert.equal((await box.json("status")).version, 2, "automation that repeats it rotates once");
  await box.run(["revoke"]);
  assert.equal((await box.json("verify", old)).valid, false);
  for (const [path, bytes] of box.files()) {
    assert.ok(!new TextDecoder("latin1").decode(bytes).includes(hardCoded), path);
  }
});

Deno.test("import: the hint for a value that is too long or empty is true of a file, a variable and stdin", async () => {
  using box = new Box();
  const long = "hunter2-".repeat(513);
  const given = [
    await box.run(["import", "--from-env", "V"], { env: { V: long } }),
    await box.run(["import"], { stdin: long }),
    await box.run(["import", "--name", "V"], { stdin: "V=\nW=x\n" }),
  ];
  for (const { code, stderr } of given) {
    assert.equal(code, 2);
    assert.match(stderr, /longer than 4096 bytes$|sets that variable to nothing$/m);
    assert.match(stderr, /^hint: Give /m);
  }
});

Deno.test("import --then-alg: a hard-coded secret gives way to a key pair, and its tokens stay valid for a while", async () => {
  using box = new Box();
  const hardCoded = "correct horse battery staple, twice over";
  const old = await sign(new TextEncoder().encode(hardCoded));
  const env = { JWT_SECRET: hardCoded };
  const args = ["import", "--from-env", "JWT_SECRET", "--alg", "HS256"];
  const pair = ["--then-rotate", "--then-alg", "ES256", "--grace", "1h"];
  const { code, stdout, stderr } = await box.run([...args, ...pair, "--json"], { env });
  assert.equal(code, 0, stderr);
  const [, rotated] = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([rotated.version, rotated.alg], [2, "ES256"]);
  assert.equal((await box.json("verify", old)).version, 1);
  const { keys } = JSON.parse((await box.run(["jwks"])).stdout);
  assert.deepEqual(keys.map(({ kid }: { kid: string }) => kid), [rotated.kid]);
  const alone = await box.run([...args, "--then-alg", "ES256"], { env });
  assert.equal(alone.code, 2);
  assert.match(alone.stderr, /nothing is rotated\nhint: Add --then-rotate/);
});

Deno.test("a secret in every encoding, from a file or stdin, keys HMAC as in the application", async () => {
  for (const encoding of ["base64", "base64url", "hex"] as const) {
    using box = new Box();
    const key = randomBytes(64);
    const file = `${box.home}/secret.txt`;
    Deno.writeTextFileSync(file, `${key.toString(encoding)}\n`);
    const source = encoding === "hex"
      ? await box.run(["import", "--encoding", encoding], { stdin: Deno.readTextFileSync(file) })
      : await box.run(["import", "--encoding", encoding, "--file", file]);
    assert.equal(source.code, 0, source.stderr);
    assert.equal((await box.json("verify", await sign(new Uint8Array(key), "HS512"))).valid, true);
    assert.equal((await box.json("status")).key_form, "raw");
    Deno.removeSync(file);
  }
});

Deno.test("a weak secret is refused by name, and imported when that is wanted", async () => {
  using box = new Box();
  const run = (...more: string[]) =>
    box.run(["import", "--alg", "HS256", ...more], { stdin: "your-256-bit-secret" });
  const { code, stderr } = await run();
  assert.equal(code, 1);
  assert.match(stderr, /19 bytes, HS256 needs 32 .*well-known/);
  assert.doesNotMatch(stderr, /your-256/);
  assert.equal((await box.run(["status"])).code, 4, "nothing was made");
  const allowed = await run("--allow-weak");
  assert.equal(allowed.code, 0);
  assert.match(allowed.stderr, /warning: the secret is weak/);
});

Deno.test("a second secret is never imported over the first", async () => {
  using box = new Box();
  const { kid } = await box.json("init");
  await box.token();
  const { code, stderr } = await box.run(["import"], { stdin: randomBytes(64).toString("base64") });
  assert.equal(code, 1);
  assert.match(stderr, /there is one already, version 1/);
  assert.equal((await box.json("status")).kid, kid);
});

Deno.test("import refuses two sources, what is no file, unset variables and grace without rotation", async () => {
  using box = new Box();
  Deno.writeFileSync(`${box.home}/large`, new Uint8Array(30_000_000));
  for (
    const args of [
      ["--from-env", "A", "--file", "b"],
      ["--from-env", "NOT_SET"],
      ["--from-env", "s3cret/value with spaces"],
      ["--file", "/nowhere"],
      ["--file", "/"],
      ["--grace", "1h"],
      ["--file", "/dev/null"],
      ["--file", "large"],
      ["--from-env", "HOME", "--check-token", "@/"],
    ]
  ) {
    const { code, stderr } = await box.run(["--json", "import", ...args], { stdin: "" });
    assert.equal(code, 2, `${args}: ${stderr}`);
    assert.equal(JSON.parse(stderr).error.code, "usage");
    assert.doesNotMatch(stderr, /Internal|s3cret/);
  }
});

Deno.test("the same value imported as something else is refused, and the first use stays", async () => {
  using box = new Box();
  const stdin = randomBytes(66).toString("base64");
  await box.run(["import"], { stdin });
  const again = await box.run(["import", "--alg", "HS256"], { stdin });
  assert.equal(again.code, 1);
  assert.match(again.stderr, /it is there as HS512, key form text/);
  assert.equal((await box.json("status")).alg, "HS512");
});

Deno.test("an import that is killed anywhere can be repeated", async () => {
  for (let when = 1, killed = true; killed; when += THOROUGH ? 4 : 12) {
    using box = new Box();
    const stdin = randomBytes(66).toString("base64");
    const inject = `inject=pwrite64,fsync,fdatasync:signal=SIGKILL:when=${when}`;
    const flags = ["-f", "-qq", "-e", "trace=pwrite64,fsync,fdatasync", "-e", inject];
    const first = await box.exec("strace", [...flags, "-o", "/dev/null", REKEY, "import"], {
      stdin,
    });
    killed = first.code === 137;
    const { version, imported } = JSON.parse(
      (await box.run(["import", "--json"], { stdin })).stdout,
    );
    assert.equal(version, 1);
    assert.ok(imported || !killed || when > 10);
    assert.equal((await box.json("status")).version, 1);
  }
});
