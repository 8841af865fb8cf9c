import assert from "node:assert/strict";
import { join } from "node:path";
import { ACCOUNT } from "../support/keyring/keyring_box.ts";
import { WALLETS } from "../support/keyring/wallets/wallet.ts";
import { WalletBox } from "../support/keyring/wallets/wallet_box.ts";
import { Serving } from "../support/http/serving.ts";
import { sample } from "../support/process/sample.ts";

for (const name of sample(WALLETS, 2)) {
  Deno.test(`${name}: a secret's life, from init to destroy`, async () => {
    await using box = await WalletBox.start(name);
    const done = async (...args: string[]) => {
      const ended = await box.run([...args, "--json"]);
      assert.equal(ended.code, 0, `${args.join(" ")}: ${ended.stderr}`);
      return JSON.parse(ended.stdout || "{}");
    };
    const phrase = join(box.home, "phrase");
    Deno.writeTextFileSync(phrase, "correct horse battery staple\n", { mode: 0o600 });

    assert.equal((await done("init")).location, "keyring");
    const first = await box.token();
    assert.equal((await done("verify", first)).valid, true);
    assert.equal((await done("rotate", "--force", "--grace", "1h")).version, 2);
    assert.equal((await done("verify", first)).version, 1);
    const second = await box.token();
    await done("revoke");
    assert.notEqual((await box.run(["verify", first])).code, 0);
    assert.deepEqual(await box.accounts(), [ACCOUNT]);

    await done("store", "move", "database");
    assert.deepEqual(await box.accounts(), []);
    await done("store", "move", "keyring");
    assert.deepEqual(await box.accounts(), [ACCOUNT]);
    assert.equal((await done("verify", second)).version, 2);
    const { healthy, findings } = await done("doctor");
    assert.equal(healthy, true);
    const codes = findings.map(({ code }: { code: string }) => code)
      .filter((code: string) => code.startsWith("keyring_"));
    assert.deepEqual(codes, name === "keepassxc" ? ["keyring_keeps"] : []);

    await using serving = await Serving.start(box);
    assert.equal(await serving.auth(second), 204);
    const backup = join(box.home, "backup");
    await done("backup", backup, "--with-secret", "--passphrase-file", phrase);
    await done("rotate", "--force");
    assert.equal(await serving.auth(second), 401);
    assert.equal((await serving.stop()).code, 0);
    await done("destroy", "--force");
    assert.deepEqual(await box.accounts(), []);

    const [file, secret] = [join(box.home, "imported"), crypto.randomUUID().repeat(2)];
    Deno.writeTextFileSync(file, secret, { mode: 0o600 });
    assert.equal((await done("import", "--file", file, "--alg", "HS256")).location, "keyring");
    assert.equal(await box.lookup(), secret);
    assert.deepEqual(await box.accounts(), [ACCOUNT]);
    assert.equal((await done("verify", await box.token())).valid, true);
    await done("destroy", "--force");
    assert.deepEqual(await box.accounts(), []);

    await done("restore", backup, "--force", "--passphrase-file", phrase);
    assert.deepEqual(await box.accounts(), [ACCOUNT]);
    assert.equal((await done("verify", second)).version, 2);
  });
}
