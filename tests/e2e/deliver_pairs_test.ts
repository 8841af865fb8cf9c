import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { withVerifier } from "../support/deliver/told_verifier.ts";
import { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { sample } from "../support/process/sample.ts";

const PAIRS = ["ES256", "EdDSA", "RS256"];

async function succeeds(box: Box, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await box.run(args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

for (const alg of sample(PAIRS, 2)) {
  Deno.test(`from HMAC to ${alg} and back: a verifier refuses no valid token, and no retired one is accepted`, async () => {
    using box = await initialised();
    await using verifier = await withVerifier(box);
    const path = join(box.home, "api.json");
    for (const next of [alg, "HS256"]) {
      const old = await box.token();
      await succeeds(box, "rotate", "--force", "--grace", "1h", "--alg", next);
      const fresh = await box.token();
      assert.deepEqual([await verifier.accepts(old), await verifier.accepts(fresh)], [true, true]);
      await succeeds(box, "deliver", "check");
      assert.ok(!/"(d|p|q)"/.test(Deno.readTextFileSync(path)));
      await succeeds(box, "revoke");
      assert.deepEqual([await verifier.accepts(old), await verifier.accepts(fresh)], [false, true]);
    }
    const old = await box.token();
    await succeeds(box, "rotate", "--force", "--alg", alg);
    assert.deepEqual(
      [await verifier.accepts(old), await verifier.accepts(await box.token())],
      [false, true],
    );
  });
}

Deno.test("a delivery that is for the other kind of key stops a rotation, with nothing changed", async () => {
  using box = await initialised();
  const template = join(box.home, "of-secrets.mustache");
  Deno.writeTextFileSync(template, "{{#verifying}}{{kid}} {{base64}}\n{{/verifying}}");
  const kinds = [
    ["--format", "text"],
    ["--format", "env"],
    ["--format", "text", "--role", "signer"],
    ["--template", template],
    ["--preset", "slurm", "--owner", String(Deno.uid()), "--group", String(Deno.gid())],
  ];
  for (const kind of kinds) {
    const add = ["deliver", "add", "it", ...kind, "--path", join(box.home, "it"), "--force"];
    await box.run(add);
    const { kid } = await box.json("status");
    for (const grace of [[], ["--grace", "1h"]]) {
      const stopped = await box.run(["rotate", "--force", "--alg", "ES256", ...grace]);
      assert.equal(stopped.code, 5, stopped.stderr);
      assert.match(stopped.stderr, /Not rotated: it: .*(and not ES256|HMAC secret is expected)/);
    }
    assert.equal((await box.json("status")).kid, kid);
    await succeeds(box, "deliver", "remove", "it");
  }
});

Deno.test("what could never be written is not added: a key pair where a secret is expected, and the other way round", async () => {
  using box = new Box();
  await succeeds(box, "init", "--alg", "ES256");
  const template = (text: string) => {
    const path = join(box.home, "it.mustache");
    Deno.writeTextFileSync(path, text);
    return ["--template", path];
  };
  const refused = async (kind: string[], code: number, told: RegExp) => {
    const path = join(box.home, "it");
    const added = await box.run(["deliver", "add", "it", ...kind, "--path", path]);
    assert.equal(added.code, code, added.stderr);
    assert.match(added.stderr, told);
    assert.equal((await box.run(["deliver", "list"])).stdout, "");
  };
  const assumed = /without an encoding it is for HMAC secrets\nhint: .*encoding=pem.*encoding=jwk/;
  await refused(["--format", "text"], 2, assumed);
  await refused(["--format", "env", "--role", "signer"], 2, assumed);
  const isHmacs = /Cannot deliver a key pair where an HMAC secret is expected\nhint: /;
  await refused(template("{{current.base64}}"), 1, isHmacs);
  await refused(["--format", "text", "--set", "encoding=pom"], 2, /rekey does not know that name/);
  await succeeds(box, "rotate", "--force", "--alg", "HS512");
  const isPairs = /Cannot deliver an HMAC secret where a key pair is expected\nhint: /;
  await refused(template("{{current.pem}}"), 1, isPairs);
});

Deno.test("--force-deliveries rotates all the same, and the program that lags behind is named", async () => {
  using box = await initialised();
  const path = join(box.home, "key");
  await succeeds(box, "deliver", "add", "it", "--format", "text", "--path", path);
  const before = Deno.readTextFileSync(path);
  const forced = await box.run(["rotate", "--force", "--alg", "ES256", "--force-deliveries"]);
  assert.equal(forced.code, 5);
  assert.match(forced.stderr, /it: the format text with encoding=text knows HS256, HS384, HS512/);
  assert.equal(Deno.readTextFileSync(path), before);
});

Deno.test("a program for HMAC alone stops no rotation that keeps ES256, named or not", async () => {
  using box = new Box();
  await succeeds(box, "init", "--alg", "ES256");
  const path = join(box.home, "key");
  await box.run([
    "deliver",
    "add",
    "it",
    "--format",
    "text",
    "--set",
    "encoding=text",
    "--path",
    path,
  ]);
  const ways = [["--force"], ["--force", "--grace", "1h"], ["--prepare"]];
  for (const way of ways) {
    const plain = await box.run(["rotate", ...way]);
    const named = await box.run(["rotate", ...way, "--alg", "ES256"]);
    assert.equal(named.code, plain.code, `${way}: ${named.stderr}`);
    assert.doesNotMatch(named.stderr, /Not rotated/);
  }
  const other = await box.run(["rotate", "--force", "--alg", "ES384"]);
  assert.match(other.stderr, /Not rotated: it: .* and not ES384/);
});

Deno.test("a program for key pairs alone gets the first one before it signs", async () => {
  using box = await initialised();
  const path = join(box.home, "keys.pem");
  const reload = `cp '${path}' '${path}.read'; test -e '${box.home}/go'`;
  const add = ["deliver", "add", "it", "--format", "pem", "--path", path, "--reload", reload];
  const added = await box.run(add);
  assert.equal(added.code, 5);
  assert.match(added.stderr, /it is added: it gets a key as soon as there is one that it knows/);
  // What it was given before the commit: its reload fails, and so does the rotation.
  const stopped = await box.run(["rotate", "--force", "--alg", "ES256", "--grace", "1h"]);
  assert.match(stopped.stderr, /Not rotated: it: its reload/);
  assert.match(Deno.readTextFileSync(`${path}.read`), /^-----BEGIN PUBLIC KEY-----\n[^-]+-----END/);
  Deno.writeTextFileSync(join(box.home, "go"), "");
  await succeeds(box, "rotate", "--force", "--alg", "ES256", "--grace", "1h");
  assert.equal(Deno.readTextFileSync(path).match(/BEGIN PUBLIC KEY/g)?.length, 1);
});

Deno.test("a program that takes the public key for an HMAC secret fails its delivery", async () => {
  using box = new Box();
  await succeeds(box, "init", "--alg", "ES256");
  const path = join(box.home, "key.pem");
  const script = new URL("../support/deliver/confused.py", import.meta.url).pathname;
  const probe = ["--probe-command", `/usr/bin/python3 '${script}' '${path}'`];
  const added = await box.run([
    "deliver",
    "add",
    "it",
    "--format",
    "pem",
    "--path",
    path,
    ...probe,
  ]);
  assert.equal(added.code, 5);
  assert.match(added.stderr, /it takes the public key for an HMAC secret/);
});

Deno.test("variables with a PEM or a JWK are read alike by a shell and Node", async () => {
  using box = new Box();
  await succeeds(box, "init", "--alg", "ES256");
  const path = join(box.home, "it.env");
  for (const encoding of ["pem", "jwk"]) {
    const add = ["deliver", "add", encoding, "--format", "env", "--path", path, "--role", "signer"];
    await succeeds(box, ...add, "--set", `encoding=${encoding}`);
    const read = "process.stdout.write(process.env.JWT_SECRET)";
    const byNode = await box.exec("/usr/bin/node", [`--env-file=${path}`, "-e", read]);
    const byShell = await box.exec("/bin/sh", ["-c", `. '${path}'; printf %s "$JWT_SECRET"`]);
    assert.equal(byNode.stdout, byShell.stdout);
    const begin = { pem: "-----BEGIN PRIVATE KEY-----\n", jwk: '{"kty":"EC","kid":"' }[encoding]!;
    assert.ok(byShell.stdout.startsWith(begin));
    await succeeds(box, "deliver", "remove", encoding);
  }
});

Deno.test("exec: a PEM to sign with, and of the previous key pair the public half", async () => {
  using box = new Box();
  await succeeds(box, "init", "--alg", "ES256");
  const first = (await box.json("status")).kid;
  await succeeds(box, "rotate", "--force", "--alg", "RS256", "--grace", "1h");
  const { kid } = await box.json("status");
  const print = ["exec", "--", "printenv"];
  const value = (name: string) => box.run([...print, name]).then(({ stdout }) => stdout.trim());
  assert.match(await value("JWT_SECRET"), /^-----BEGIN PRIVATE KEY-----\n[^-]+\n-----END PRIVATE/);
  assert.match(await value("JWT_SECRET_PREVIOUS"), /^-----BEGIN PUBLIC KEY-----\n/);
  const names = ["REKEY_KID", "REKEY_ALG", "REKEY_KID_PREVIOUS", "REKEY_ALG_PREVIOUS"];
  assert.deepEqual(await Promise.all(names.map(value)), [kid, "RS256", first, "ES256"]);
  const keys = await box.run(["exec", "--keys-file", "--", "sh", "-c", 'cat "$REKEY_KEYS_FILE"']);
  const [signing, verifying] = JSON.parse(keys.stdout).keys;
  assert.deepEqual([signing.kid, typeof signing.d, typeof signing.qi], [kid, "string", "string"]);
  assert.deepEqual([verifying.kid, verifying.d, verifying.alg], [first, undefined, "ES256"]);
});

Deno.test("exec: a program of HMAC secrets gets no public key as the previous one", async () => {
  using box = new Box();
  await succeeds(box, "init", "--alg", "ES256");
  await succeeds(box, "rotate", "--force", "--alg", "HS512", "--grace", "1h");
  const { stdout, stderr } = await box.run(["exec", "--", "env"]);
  assert.ok(!/PREVIOUS|PUBLIC/.test(stdout));
  assert.match(stderr, /without the previous value: it is of a key pair/);
  await succeeds(box, "rotate", "--force", "--alg", "ES256", "--grace", "1h");
  const back = await box.run(["exec", "--", "env"]);
  assert.match(back.stdout, /^REKEY_ALG_PREVIOUS=HS512$/m);
  assert.match(back.stdout, /^JWT_SECRET_PREVIOUS=[A-Za-z0-9+/]{86}==$/m);
});

Deno.test("an imported key is delivered under the kid of its tokens, also for the rotation after it", async () => {
  using box = new Box();
  const kid = "login-2024/1";
  const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
    .export({ format: "jwk" });
  const input = join(box.home, "key.json");
  Deno.writeTextFileSync(input, JSON.stringify({ ...jwk, kid, alg: "ES256" }), { mode: 0o600 });
  await succeeds(box, "import", "--file", input);
  await using verifier = await withVerifier(box);
  const kidsIn = () =>
    JSON.parse(Deno.readTextFileSync(join(box.home, "api.json"))).keys
      .map((key: { kid: string }) => key.kid);
  const old = await box.token();
  assert.ok(await verifier.accepts(old));
  assert.deepEqual(kidsIn(), [kid]);
  assert.equal((await box.run(["exec", "--", "printenv", "REKEY_KID"])).stdout.trim(), kid);
  await succeeds(box, "rotate", "--force", "--grace", "1h");
  assert.deepEqual(kidsIn(), [(await box.json("status")).kid, kid]);
  assert.deepEqual(
    [await verifier.accepts(old), await verifier.accepts(await box.token())],
    [true, true],
  );
  await succeeds(box, "revoke");
  assert.ok(!await verifier.accepts(old));
});
