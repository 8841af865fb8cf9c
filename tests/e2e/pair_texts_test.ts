import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { Serving } from "../support/http/serving.ts";
import { Box } from "../support/process/box.ts";

Deno.test("init, rotate, its dry run, status and HTTP say which kind of key signs", async () => {
  using box = new Box();
  const init = await box.run(["init", "--store", "database", "--alg", "RS256", "--bits", "3072"]);
  assert.match(init.stdout, /^New tokens: RS256, key pair of 3072 bits; `rekey jwks`/m);
  const made = await box.json("status");
  assert.deepEqual([made.alg, made.key_form, made.bits, made.bytes, made.encoding], [
    ...["RS256", "pkcs8", 3072, null, null],
  ]);
  // What is not said stays as it was.
  const next = await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.match(next.stdout, /^New tokens: RS256, key pair of 3072 bits;/m);
  await using serving = await Serving.start(box);
  const planned = await box.run(["rotate", "--dry-run", "--alg", "Ed25519"]);
  assert.match(planned.stdout, /a new one in the database \(Ed25519, key pair\);/);
  assert.doesNotMatch(planned.stdout, /would verify for/);
  const graceful = await box.run(["rotate", "--dry-run", "--grace", "24h"]);
  assert.match(graceful.stdout, /\(RS256.*\), version 2 would verify for 1 day more; active/);
  assert.equal((await box.json("rotate", "--dry-run", "--alg", "ES384")).alg, "ES384");
  assert.equal((await box.json("rotate", "--dry-run")).alg, "RS256");
  assert.equal(
    (await box.json("rotate", "--force", "--grace", "1h", "--alg", "ES256")).alg,
    "ES256",
  );
  const { stdout } = await box.run(["status"]);
  assert.match(stdout, /^tokens +ES256, key pair$/m);
  assert.match(stdout, /^grace +version 2 \(RS256\) verifies until/m);
  assert.doesNotMatch(stdout, /pkcs8|key form|^value/m);
  const shown = await (await serving.get("/status.json")).json();
  assert.deepEqual([shown.alg, shown.key_form, shown.bits], ["ES256", "pkcs8", null]);
  assert.equal(shown.tokens, "ES256, key pair");
  assert.deepEqual(shown.grace.map(({ alg }: { alg: string }) => alg), ["RS256", "RS256"]);
  const admin = await box.token("root", "--scope", "admin");
  const answer = await (await serving.post("/rotate", {}, admin)).json();
  assert.deepEqual([answer.alg, answer.key_form], ["ES256", "pkcs8"]);
  const doctor = await box.run(["doctor"]);
  assert.equal(doctor.code, 0, doctor.stdout);
});

Deno.test("a rotation from a key pair to an HMAC secret says that no public set has it; others do not", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database", "--alg", "ES256"]);
  const warned: [alg: string, isWarned: boolean][] = [
    ["Ed25519", false],
    ["HS512", true],
    ["HS256", false],
  ];
  for (const [alg, isWarned] of warned) {
    for (const grace of ["0s", "1h"]) {
      if (grace === "1h" && isWarned) await box.run(["rotate", "--force", "--alg", "ES256"]);
      const { code, stderr } = await box.run(["rotate", "--force", "--alg", alg, "--grace", grace]);
      assert.equal(code, 0, stderr);
      assert.equal(/warning: verifiers that fetch the public keys/.test(stderr), isWarned, alg);
    }
  }
});

Deno.test("status names the kid of an imported key's tokens, until another key is the current one", async () => {
  using box = new Box();
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
  const how = ["--store", "database", "--kid", "2023-key"];
  const { code, stdout, stderr } = await box.run(["import", ...how], { stdin: pem });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /, kid of its tokens 2023-key$/m);
  const line = /^tokens +ES256, key pair, kid of its tokens 2023-key$/m;
  assert.match((await box.run(["status"])).stdout, line);
  assert.equal((await box.json("status")).token_kid, "2023-key");
  await box.run(["rotate", "--force"]);
  assert.match((await box.run(["status"])).stdout, /^tokens +ES256, key pair$/m);
});

Deno.test("flags of the other kind of key are refused, for a dry run too, and change nothing", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database", "--alg", "ES256"]);
  const { kid } = await box.json("status");
  const refused: [string[], RegExp, RegExp][] = [
    [["--bytes", "64"], /--bytes and --as with ES256, which has a key pair/, /Leave them out/],
    [["--as", "hex"], /--bytes and --as with ES256/, /Leave them out/],
    [["--bits", "2048"], /--bits with ES256/, /Leave it out/],
    [["--key-form", "raw"], /--key-form with ES256/, /Leave it out/],
    [["--alg", "RS256", "--bytes", "64"], /--bytes and --as with RS256/, /--bits instead/],
    [
      ["--alg", "HS512", "--bits", "2048"],
      /--bits with HS512, which has an HMAC/,
      /--bytes instead/,
    ],
    [["--alg", "RS256", "--bits", "1024"], /2048, 3072 or 4096/, /rotate --help/],
    [["--alg", "ML-DSA-65"], /Allowed choices are HS256,.* PS512/, /rotate --help/],
  ];
  for (const [flags, message, hint] of refused) {
    for (const how of [["--force"], ["--dry-run"]]) {
      const { code, stderr } = await box.run(["rotate", ...how, ...flags]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
      assert.match(stderr, hint);
    }
  }
  const again = await box.run(["init", "--alg", "HS256"]);
  assert.match(again.stderr, /it is ES256, key pair\nhint: .*`rekey rotate --alg` gives/);
  assert.equal((await box.json("status")).kid, kid);
  assert.equal((await box.run(["init", "--alg", "ES256"])).code, 0);
});

Deno.test("init that asks for another size says what is there, in bits of an RSA key only", async () => {
  const cases: [own: string[], asked: string[], message: RegExp, hint: RegExp][] = [
    [
      [],
      ["--bits", "2048"],
      /it is HS512, key form text$/m,
      /`rekey rotate --alg RS256 --bits 2048`/,
    ],
    [[], ["--alg", "RS256", "--bits", "2048"], /it is HS512, key form text$/m, /rotate --alg/],
    [["--bytes", "256"], ["--bits", "2048"], /it is HS512/, /--alg RS256 --bits 2048`/],
    [[], ["--bytes", "32"], /it has 64 bytes, as base64$/m, /`rekey rotate --bytes --as`/],
    [["--alg", "ES256"], ["--bits", "2048"], /it is ES256, key pair$/m, /--alg RS256 --bits/],
    [["--alg", "ES256"], ["--bytes", "64"], /it is ES256, key pair$/m, /leave them out/],
    [
      ["--alg", "RS256"],
      ["--bits", "3072"],
      /it is RS256, key pair of 2048 bits$/m,
      /`rekey rotate --bits 3072`/,
    ],
    [["--alg", "RS256"], ["--bytes", "256"], /key pair of 2048 bits$/m, /leave them out/],
  ];
  for (const [own, asked, message, hint] of cases) {
    using box = new Box();
    assert.equal((await box.run(["init", ...own])).code, 0);
    const { code, stderr } = await box.run(["init", ...asked]);
    assert.equal(code, 1, `${own} ${asked}: ${stderr}`);
    assert.match(stderr, message);
    assert.match(stderr, hint);
    assert.equal((await box.run(["init", ...own])).code, 0);
  }
});
