import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { now, signWith } from "../support/attacks/foreign_tokens.ts";
import { secret, token } from "../support/commands/importing.ts";

Deno.test("a secret of init that was never used is replaced by an import", async () => {
  using box = new Box();
  const first = await box.json("init");
  await box.run(["status"]);
  await box.run(["doctor"]);
  const key = secret();
  const old = token(key);
  assert.equal((await box.json("verify", old)).valid, false, "a try before the import is no use");
  const { code, stderr } = await box.run(["import", "--alg", "HS256"], { stdin: key });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /version 1, which was never used, has ended/);
  const status = await box.json("status");
  assert.deepEqual([status.version, status.alg, status.grace], [2, "HS256", []]);
  assert.equal((await box.json("verify", old)).version, 2);
  const exp = now() + 600;
  const retired = signWith("x", { alg: "HS256", kid: first.kid }, { exp });
  assert.equal((await box.json("verify", retired)).code, "retired_kid");
  const again = await box.run(["import", "--alg", "HS256"], { stdin: key });
  assert.match(again.stdout, /imported before as version 2/);
  assert.equal((await box.run(["audit", "verify"])).code, 0);
});

Deno.test("an import names the prepared version that it drops, once", async () => {
  using box = new Box();
  await box.run(["init"]);
  await box.run(["rotate", "--prepare"]);
  const key = secret();
  const { stderr } = await box.run(["import", "--alg", "HS256"], { stdin: key });
  assert.match(
    stderr,
    /version 1, which was never used, has ended\nversion 2, which was prepared, is dropped\n/,
  );
  const again = await box.run(["import", "--alg", "HS256"], { stdin: key });
  assert.doesNotMatch(again.stderr, /prepared/);
  assert.equal((await box.run(["rotate", "--activate"])).code, 1, "nothing is prepared any more");
});

Deno.test("an import over a secret that was used is refused, whatever the use was", async () => {
  const uses: ((box: Box) => Promise<unknown>)[] = [
    (box) => box.token(),
    (box) => box.run(["exec", "--", "true"]),
    (box) => box.run(["rotate", "--force"]),
    (box) => box.run(["import"], { stdin: secret() + secret() }),
  ];
  for (const use of uses) {
    using box = new Box();
    await box.run(["init"]);
    await use(box);
    const { kid } = await box.json("status");
    const { code, stderr } = await box.run(["import", "--alg", "HS256"], { stdin: secret() });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /there is one already/);
    const isImported = (await box.run(["audit", "list"])).stdout.includes("imported");
    assert.match(stderr, isImported ? /hint: It is an application's/ : /hint: It was used/);
    assert.equal((await box.json("status")).kid, kid);
  }
});

Deno.test("an import that is repeated with another algorithm: the hint says what works, before and after a rotation", async () => {
  using box = new Box();
  await box.run(["init"]);
  const key = secret() + secret();
  const imported = (...flags: string[]) => box.run(["import", ...flags], { stdin: key });
  assert.equal((await imported("--alg", "HS256")).code, 0);
  const before = await imported();
  assert.match(
    before.stderr,
    /hint: .*repeat that with --alg HS256; `rekey init --alg --key-form`/,
  );
  assert.equal((await box.run(["init", "--alg", "HS512"])).code, 0);
  assert.equal((await imported()).code, 0);
  await box.run(["rotate", "--force", "--grace", "1h"]);
  for (const next of [["revoke"], ["status"]]) {
    const { code, stderr } = await imported("--alg", "HS256");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /--alg HS512; how it is used stays, since version 3 has replaced version 2$/m,
    );
    assert.equal((await imported("--alg", "HS512")).code, 0);
    await box.run(next);
  }
});
