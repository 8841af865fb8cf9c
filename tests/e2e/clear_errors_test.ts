import assert from "node:assert/strict";
import { join } from "node:path";
import { inThisProcess } from "../support/commands/in_process.ts";
import { Box } from "../support/process/box.ts";

/** What each wrong line is told: the error, and the hint that leads on. */
const LINES: [args: string[], error: RegExp, hint: RegExp][] = [
  [["kek", "rotate", "--bogus"], /Unknown option \(argument 3\)$/m, /`rekey kek rotate --help`/],
  [["--bogus"], /Unknown option \(argument 1\)$/m, /`rekey --help`/],
  [["rotate", "--jsn"], /Unknown option \(Did you mean --json\?\)$/m, /`rekey rotate --help`/],
  [["rotate", "--yes"], /Unknown option --yes$/m, /Write --force; see `rekey rotate --help`/],
  [["destroy", "-y"], /Unknown option -y$/m, /Write --force;/],
  [["rotate", "--force=yes"], /--force takes no value$/m, /Write --force alone;/],
  [["status", "--json=true"], /--json takes no value$/m, /Write --json alone;/],
  [["rotate", "--no-grace"], /Unknown option --no-grace$/m, /Leave --grace out;/],
  [["rotate", "--backup"], /Unknown option --backup$/m, /that is so without --no-backup;/],
  [["rotate", "-grace", "1h"], /Unknown option -grace$/m, /Write --grace <duration>;/],
  [["--grace", "1h", "rotate"], /Unknown option --grace$/m, /--grace <duration> after `rekey rot/],
  [["--yes", "user", "remove", "a"], /option --yes$/m, /--force after `rekey user remove`;/],
  [["-f"], /Unknown option -f$/m, /Write --force after a command that has it;/],
  [["serve", "--port=8080"], /Unknown option --port$/m, /Write --listen <address>;/],
  [["serve", "8080"], /Too many arguments/, /--listen <address>: --listen 127.0.0.1:8700/],
  [["deliver", "add", "a", "--file", "x"], /Unknown option --file$/m, /Write --path <path>;/],
  [["backup", "-o", "x"], /Unknown option -o$/m, /Write it without a flag: `rekey backup <path>`;/],
  [["user", "add", "--name", "a"], /Unknown option --name$/m, /flag: `rekey user add <name>`;/],
  [["restore", "a", "--yes"], /option --yes$/m, /Write --force to replace an existing secret;/],
  [["init", "--force"], /Unknown option --force$/m, /Leave it out: this command does not ask/],
  [["verify", "--token", "a"], /Unknown option --token$/m, /`rekey verify` and .* read stdin;/],
  [["import", "secret.txt"], /Too many arguments/, /--file <path>, or write the secret to stdin;/],
  [["doctor", "fix"], /Too many arguments/, /Write --fix;/],
  [["rotate", "help"], /Too many arguments/, /Write --help;/],
  [["status", "acme"], /Too many arguments/, /--app <name> names an app;/],
  [["audit", "show"], /Unknown command show$/m, /Write `rekey audit list`; see `rekey audit --/],
  [["user", "rm", "--help"], /Unknown command rm$/m, /Write `rekey user remove`;/],
  [["help", "policy", "get"], /Cannot find that help page$/m, /Write `rekey policy show`$/m],
  [["list"], /Unknown command list$/m, /`rekey apps`/],
  [["show", "--help"], /Unknown command show$/m, /No command prints the secret: .*`rekey exec`/],
  [["delete"], /Unknown command delete$/m, /`rekey destroy`/],
  [["-v"], /Unknown option -v$/m, /`rekey --version`/],
  [["status", "--verbose"], /Unknown option --verbose$/m, /`rekey doctor`/],
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
  [
    ["rotate", "--at", "tomorrow"],
    /^error: Cannot use the value of --at <when>$/m,
    /^hint: Write 30m .*03:00 .*; see `rekey rotate --help`$/m,
  ],
  [["serve", "--workers", "0"], /value of --workers <count>$/m, /^hint: Write a whole number/m],
  [
    ["issue", "--ttl", "5"],
    /value of --ttl <duration>$/m,
    /^hint: Write .* 15m.*; see `rekey issue/m,
  ],
  [["rotate", "--at", "2026-01-01T00:00:00Z"], /That time has passed$/m, /`rekey rotate --help`/],
  [["serve", "--listen", "127.0.0.1"], /--listen: it is not an address with a port$/m, /8700/],
  [["rotate", "--force", "--notify-format", "slack"], /no address is named$/m, /--notify-url/],
  [["rotate", "--force", "--notify-key-file", "k"], /no address is named$/m, /--notify-url/],
  [["exec", "hunter2", "--", "env"], /what stands before --: it is no flag$/m, /--app <name>/],
  [
    ["exec", "--keys-file", "/x", "--", "true"],
    /--keys-file takes no value$/m,
    /--keys-dir <path>/,
  ],
  [["exec", "true", "--"], /No program was given$/m, /`rekey exec -- PROGRAM/],
  [["exec", "-d", "1h", "--", "true"], /Unknown option -d$/m, /Leave it out: .*--on-rotate/],
  [
    ["exec", "--duration", "1h", "--", "true"],
    /option --duration$/m,
    /Leave it out: .*--on-rotate/,
  ],
  [["exec", "--server", "--", "true"], /Unknown option --server$/m, /Leave it out: .*--keys-file/],
  [["exec", "--grace-stop", "10s", "--", "true"], /nothing ends it$/m, /Add --on-rotate restart/],
  [
    ["exec", "--grace-stop", "1s", "--on-rotate", "signal:HUP", "--", "true"],
    /nothing ends it$/m,
    /leave out --grace-stop/,
  ],
  [
    ["exec", "--no-env-previous", "--env-previous", "X", "--", "true"],
    /--env-previous together with --no-env-previous$/m,
    /one of them/,
  ],
  [
    ["exec", "--env-previous=X", "--no-env-previous", "--", "true"],
    /--env-previous together with --no-env-previous$/m,
    /one of them/,
  ],
  [
    ["import", "--file", "/etc"],
    /Cannot use \/etc: it is a folder$/m,
    /^hint: Name another file or folder$/m,
  ],
  [["add"], /Unknown command add$/m, /`rekey init`/],
  [["vault", "read", "x"], /Unknown command vault$/m, /`rekey exec` gives it to a program/],
  [["aws"], /Unknown command aws$/m, /`rekey exec` gives it to a program/],
  [["kv", "put", "a", "b"], /Unknown command kv$/m, /`rekey import` takes a secret over/],
  [["step"], /Unknown command step$/m, /`rekey init`/],
  [["age"], /Unknown command age$/m, /`rekey status`.*`rekey backup --recipient`/],
  [["rotate-keys"], /Unknown command rotate-keys$/m, /`rekey rotate`/],
  [["import", "--value", "hunter2"], /option --value$/m, /Keep it off the command line.*stdin/],
  [["restore", "--from", "a.db"], /Unknown option --from$/m, /without a flag: `rekey restore`/],
  [["verify", "--file", "x"], /Unknown option --file$/m, /`rekey verify` reads .* stdin/],
  [["rotate", "--now"], /Unknown option --now$/m, /Leave it out: /],
  [["rotate", "--emergency"], /Unknown option --emergency$/m, /Write --force without --grace/],
];

Deno.test("a wrong command line is answered with what is wrong and which help says more", async (t) => {
  using box = new Box();
  for (const [args, error, hint] of LINES) {
    await t.step(args.join(" "), async () => {
      const { code, stderr } = await box.run(args);
      assert.equal(code, 2);
      assert.match(stderr, error);
      assert.match(stderr, hint);
      assert.doesNotMatch(stderr, /hunter2/, "a word may be a secret");
    });
  }
});

Deno.test("the help command of a group shows the group's help", async () => {
  using box = new Box();
  for (const [line, usage] of [["user help", "user"], ["user help add", "user add"]] as const) {
    const { code, stdout, stderr } = await box.run(line.split(" "));
    assert.deepEqual([code, stderr], [0, ""], line);
    assert.ok(stdout.startsWith(`Usage: rekey ${usage} [options]`), stdout);
  }
  for (const words of ["user foo", "user add foo", "policy get"]) {
    const [group, ...others] = words.split(" ");
    for (const more of [[], ["--json"]]) {
      const { code, stdout, stderr } = await box.run([group!, "help", ...others, ...more]);
      assert.deepEqual([code, stdout], [2, ""], words);
      assert.match(stderr, /Cannot find that help page/);
      assert.equal(stderr, (await box.run(["help", ...words.split(" "), ...more])).stderr);
    }
  }
});

Deno.test("tests that run a wrong line in their own process are told what the binary says", async () => {
  using box = new Box();
  for (
    const line of ["kek rotate x", "--yes user remove a", "serve 8080", "audit list x", "audit x"]
  ) {
    const args = line.split(" ");
    assert.deepEqual(await inThisProcess(box, args), await box.run(args), line);
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

Deno.test("audit merge names a file once, and says all that is wrong with it", async () => {
  using box = new Box();
  for (const name of ["a: b.jsonl", "a:b.jsonl"]) {
    const path = join(box.home, name);
    const missing = await box.run(["audit", "merge", path]);
    assert.match(missing.stderr, /^error: [^\n]*\.jsonl: it does not exist\n/);
    Deno.writeFileSync(path, new Uint8Array([0xff, 0xfe, 0x41, 0x00]));
    const wide = await box.run(["audit", "merge", path]);
    assert.match(wide.stderr, /: it is UTF-16, /);
    for (const { code, stderr } of [missing, wide]) {
      assert.equal(code, 2);
      assert.equal(stderr.split(name).length, 2, stderr);
    }
  }
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
  assert.match(
    wrong.stderr,
    /a part of the path is not a folder\nhint: Name another file or folder$/m,
  );
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
