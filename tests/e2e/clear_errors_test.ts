import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";

/** What each wrong line is told: the error, and the hint that leads on. */
const LINES: [args: string[], error: RegExp, hint: RegExp][] = [
  [["kek", "rotate", "--bogus"], /Unknown option --bogus$/m, /`rekey kek rotate --help`/],
  [["--bogus"], /Unknown option --bogus$/m, /`rekey --help`/],
  [["init", "extra"], /Too many arguments were given: 1, where 0 can be taken$/m, /`rekey init/],
  [["schedule"], /<kind> is needed$/m, /`rekey schedule --help`/],
  [
    ["policy", "clear", "nonsense"],
    /choices are .*, jwks-max-age, audit-retention, retrievals-retention$/m,
    /`rekey policy clear --help`/,
  ],
  [
    ["serve", "--unix", "a.sock", "--listen", "127.0.0.1:9"],
    /Cannot use --listen <address> together with --unix <path>$/m,
    /`rekey serve --help`/,
  ],
  [["rotate", "--at", "tomorrow"], /Write 30m .*03:00/, /`rekey rotate --help`/],
  [["rotate", "--at", "2026-01-01T00:00:00Z"], /That time has passed$/m, /`rekey rotate --help`/],
  [["serve", "--listen", "127.0.0.1"], /--listen: it is not an address with a port$/m, /8700/],
  [["rotate", "--force", "--notify-format", "slack"], /no address is named$/m, /--notify-url/],
  [["rotate", "--force", "--notify-key-file", "k"], /no address is named$/m, /--notify-url/],
];

Deno.test("a wrong command line is answered with what is wrong and which help says more", async (t) => {
  using box = new Box();
  for (const [args, error, hint] of LINES) {
    await t.step(args.join(" "), async () => {
      const { code, stderr } = await box.run(args);
      assert.equal(code, 2);
      assert.match(stderr, error);
      assert.match(stderr, hint);
    });
  }
});

Deno.test("a rotation without a secret says so once", async () => {
  using box = new Box();
  const { code, stderr } = await box.run(["rotate", "--force"]);
  assert.equal(code, 4);
  assert.equal(stderr.match(/Cannot find a JWT secret/g)?.length, 1, stderr);
});

Deno.test("a backup into a folder that is not there names what was given", async () => {
  using box = new Box();
  await box.run(["init"]);
  const folder = join(box.home, "gone");
  const path = join(folder, "b.db");
  const { code, stderr } = await box.run(["backup", path]);
  assert.equal(code, 4);
  assert.ok(stderr.includes(`Cannot write ${path}: the folder ${folder} does not exist`), stderr);
});

Deno.test("the name of a file in place of the token is answered with @FILE", async () => {
  using box = new Box();
  const path = join(box.home, "token.txt");
  Deno.writeTextFileSync(path, "a.b.c");
  const { code, stderr } = await box.run(["import", "--check-token", path], { stdin: "x" });
  assert.equal(code, 2);
  assert.match(stderr, /it is a file name/);
  assert.match(stderr, /--check-token @FILE/);
});

Deno.test("a folder for the file of keys that is not there is to be made first", async () => {
  using box = new Box();
  await box.run(["init"]);
  const [gone, file] = [join(box.home, "gone"), join(box.home, "file")];
  Deno.writeTextFileSync(file, "");
  const missing = await box.run(["exec", "--keys-file", "--keys-dir", gone, "--", "true"]);
  assert.equal(missing.code, 4);
  assert.match(
    missing.stderr,
    /gone: it is not there\nhint: Make that folder first, for this user/,
  );
  const wrong = await box.run(["exec", "--keys-file", "--keys-dir", file, "--", "true"]);
  assert.match(wrong.stderr, /a part of the path is not a folder\nhint: Name another one$/m);
});

Deno.test("a token that is refused for its claims is answered with the flag that accepts it", async () => {
  using box = new Box();
  await box.run(["init"]);
  const lasting = (await box.run(["issue", "--sub", "alice", "--no-exp"])).stdout.trim();
  const verify = async (...args: string[]) => (await box.run(["verify", ...args])).stderr;
  assert.match(await verify(lasting), /exp is missing\nhint: --allow-no-exp accepts/);
  assert.equal(await verify(lasting, "--allow-no-exp"), "");
  // What the asker insists on needs no hint.
  const token = await box.token();
  assert.match(await verify(token, "--aud", "api"), /aud is missing\n$/);
  await box.run(["policy", "set", "--aud", "api"]);
  assert.match(await verify(token), /aud is missing\nhint: The policy of this app asks for that/);
  assert.equal(await verify(token, "--no-policy"), "");
});

Deno.test("verify --alg: with a key pair no other HMAC algorithm is advised", async () => {
  for (const [own, asked] of [["ES256", "HS256"], ["ES256", "RS256"], ["HS512", "HS256"]]) {
    using box = new Box();
    await box.run(["init", "--alg", own!]);
    const { code, stderr } = await box.run(["verify", "--alg", asked!, await box.token()]);
    assert.equal(code, 3);
    assert.match(stderr, new RegExp(`its algorithm is not ${asked}\nhint: Leave --alg out: `));
  }
});
