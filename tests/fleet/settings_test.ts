import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";

const USAGE = 2;

Deno.test("files for etcd that cannot be used are said to be; none of them is a bug", async (t) => {
  using box = new Box({ REKEY_STORE: "etcd", REKEY_ETCD_ENDPOINTS: "https://127.0.0.1:1" });
  const path = (name: string) => join(box.home, name);
  box.env.REKEY_KEK_FILE = path("kek");
  Deno.writeFileSync(path("kek"), new Uint8Array(32), { mode: 0o600 });
  for (const name of ["one", "other"]) {
    const line =
      `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1 -subj /O=x ` +
      `-keyout ${name}.key -out ${name}.pem`;
    const made = await box.exec("/bin/sh", ["-c", line]);
    assert.equal(made.code, 0, made.stderr);
  }
  Deno.writeTextFileSync(path("text"), "no PEM\n");
  const block = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
  Deno.writeTextFileSync(path("damaged"), block);
  const said = async (env: Record<string, string>) => {
    const { code, stderr } = await box.run(["init", "--json"], { env });
    const { error } = JSON.parse(stderr.trim().split("\n").at(-1)!);
    return { code, name: error.code, message: error.message };
  };

  for (const file of ["text", "damaged", "one.key"]) {
    await t.step(`${file} as the authority`, async () => {
      const { code, message } = await said({ REKEY_ETCD_CA: path(file) });
      assert.equal(code, USAGE, message);
      assert.match(message, /REKEY_ETCD_CA/);
    });
  }
  const pairs = [["text", "one.key"], ["damaged", "one.key"], ["one.pem", "text"]];
  pairs.push(["one.pem", "other.key"], ["one.key", "one.pem"], ["one.pem", "one.pem"]);
  for (const [cert, key] of pairs) {
    await t.step(`${cert} with ${key} as our certificate`, async () => {
      const env = { REKEY_ETCD_CERT: path(cert!), REKEY_ETCD_KEY: path(key!) };
      const { code, message } = await said(env);
      assert.equal(code, USAGE, message);
      assert.match(message, /REKEY_ETCD_(CERT|KEY)/);
    });
  }
  await t.step("commands that do not need etcd do not ask it", async () => {
    const env = { REKEY_ETCD_CA: path("text"), REKEY_STORE: "", REKEY_APP: "alone" };
    for (const args of [["version"], ["help"], ["init", "--store", "database"], ["status"]]) {
      const { code, stderr } = await box.run(args, { env });
      assert.equal(code, 0, `${args}: ${stderr}`);
    }
  });
  await t.step("those that can be used", async () => {
    const files = { CA: "other.pem", CERT: "one.pem", KEY: "one.key" };
    const env = Object.entries(files).map(([name, file]) => [`REKEY_ETCD_${name}`, path(file)]);
    assert.equal((await said(Object.fromEntries(env))).name, "etcd_unavailable");
  });
  await t.step("a password that cannot be read denies the login", async () => {
    const env = { REKEY_ETCD_USER: "rekey", REKEY_ETCD_PASSWORD_FILE: path("nothing") };
    const { code, name, message } = await said(env);
    assert.equal(`${code} ${name}`, "4 etcd_denied");
    assert.match(message, /REKEY_ETCD_PASSWORD_FILE/);
  });
  await t.step("without an answer no token is accepted, at any time", async () => {
    const { code, stderr } = await box.run(["serve", "--max-staleness", "0s"]);
    assert.equal(code, USAGE, stderr);
    assert.match(stderr, /--max-staleness/);
  });
});
