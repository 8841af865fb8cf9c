import assert from "node:assert/strict";
import { join } from "node:path";
import { ETCD_VARIABLES } from "../../src/cli/environment.ts";
import { pathOf } from "../../src/system/paths.ts";
import { SYSTEM } from "../../src/system/system.ts";
import { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { everyCommand } from "../support/commands/command_table.ts";
import { everyNthByBinary } from "../support/commands/in_process.ts";
import { sample } from "../support/process/sample.ts";

// As systemd's Environment=, docker's --env-file and a flag's =VALUE hand them on.
const UNREAD = [
  ...[
    "~",
    "~/d",
    "~root/d",
    "'/var/x'",
    '"/var/x"',
    '"/var/x',
    "$HOME/x",
    "/x/${USER}/y",
    "/x/~/y",
    "/~",
    "$(pwd)",
  ],
  ...["%h/x", "%S/rekey", "/x/%i", "%USERPROFILE%\\x", "/x ", " /x", "/x\r", "/x\n", "file:///x"],
];

// In a variable each of them is another place in each folder; in a flag it was typed in a shell.
const RELATIVE = ["d", "./d", "../d", ".", "d/e", "/x # a comment"];

const VARIABLES = [
  ...["REKEY_DATA_DIR", "REKEY_KEK_FILE", "REKEY_PASSPHRASE_FILE", "CREDENTIALS_DIRECTORY"],
  ...["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"],
];

const NO_ABSOLUTE = [...UNREAD, ...RELATIVE];

Deno.test("what is no absolute path is refused, whichever variable has it", () => {
  for (const name of VARIABLES) {
    for (const value of NO_ABSOLUTE) {
      const refusal = { code: "usage", message: new RegExp(`^Cannot use ${name}: it .`) };
      assert.throws(() => pathOf(name, value, SYSTEM.paths), refusal, JSON.stringify(value));
    }
  }
});

Deno.test("a variable that is not an absolute path is refused, and nothing is created", async (t) => {
  using box = new Box();
  for (const [at, name] of VARIABLES.entries()) {
    await t.step(name, async () => {
      // Each value for one variable at least.
      for (const value of sample(NO_ABSOLUTE, VARIABLES.length, at)) {
        const { code, stdout, stderr } = await box.run(["init"], { env: { [name]: value } });
        assert.deepEqual([code, stdout], [2, ""], `${name}=${JSON.stringify(value)}`);
        assert.match(
          stderr,
          new RegExp(`^error: Cannot use ${name}: it .*\\nhint: Write the absolute path`),
        );
      }
    });
  }
  assert.deepEqual([...Deno.readDirSync(box.home)], []);
});

Deno.test("etcd's variables that name files need absolute paths too", async () => {
  using box = await initialised();
  const files = ETCD_VARIABLES.filter((name) => /_(CA|CERT|KEY|PASSWORD_FILE)$/.test(name));
  assert.equal(files.length, 4);
  for (const name of files) {
    const env = { REKEY_ETCD_ENDPOINTS: "http://127.0.0.1:1", REKEY_ETCD_USER: "u", [name]: "~/x" };
    const { code, stderr } = await box.run(["store", "move", "etcd"], {
      env: { REKEY_ETCD_PASSWORD_FILE: "/nowhere", ...env },
    });
    assert.equal(code, 2, stderr);
    assert.match(stderr, new RegExp(`^error: Cannot use ${name}: it begins with ~`));
  }
});

Deno.test("a home folder that is not an absolute path is ignored", async () => {
  using box = new Box();
  for (const HOME of ["~", "home", `'${box.home}'`, `${box.home} `, "$HOME"]) {
    const { code, stderr } = await box.run(["init"], { env: { HOME } });
    assert.equal(code, 2, HOME);
    assert.match(
      stderr,
      /^error: Cannot choose a data folder: there is no home folder\nhint: .*HOME/,
    );
  }
  assert.deepEqual([...Deno.readDirSync(box.home)], []);
});

Deno.test("every option and argument that names a path: one that no shell has expanded is refused", async () => {
  using box = new Box();
  const run = everyNthByBinary(4);
  let tried = 0;
  for (const { words, command } of await everyCommand()) {
    const options = command.options.filter(({ flags }) => /<(path|file)>/.test(flags));
    const named = options.map(({ long }) => [long!, `${long}=~/x`]);
    const args = command.registeredArguments.filter((one) => /^(path|files?)$/.test(one.name()));
    for (const [name, word] of [...named, ...args.map((one) => [`<${one.name()}>`, "~/x"])]) {
      const { code, stderr } = await run(box, [...words, word!]);
      assert.equal(code, 2, `${words.join(" ")} ${word}`);
      assert.ok(stderr.startsWith(`error: Cannot use ${name}: it begins with ~`), stderr);
      tried++;
    }
  }
  assert.ok(tried >= 15);
  assert.deepEqual([...Deno.readDirSync(box.home)], []);
});

Deno.test("--data-dir: what can hardly be meant is refused, and a relative one is the shell's", async () => {
  using box = new Box();
  const run = everyNthByBinary(5);
  for (const value of UNREAD) {
    const { code, stderr } = await run(box, ["init", `--data-dir=${value}`]);
    assert.equal(code, 2, value);
    assert.match(stderr, /^error: Cannot use --data-dir: it /);
  }
  assert.deepEqual([...Deno.readDirSync(box.home)], []);
  for (const value of ["here", "./~strange", join(box.home, "a folder, with 'quotes' and 100%")]) {
    assert.equal((await box.run(["init", "--data-dir", value])).code, 0, value);
  }
  const names = [...Deno.readDirSync(box.home)].map(({ name }) => name);
  assert.deepEqual(names.filter((name) => !name.startsWith(".")).sort(), [
    "a folder, with 'quotes' and 100%",
    "here",
    "~strange",
  ]);
});

Deno.test("an app name with quotation marks, spaces or capitals is refused", async () => {
  using box = new Box();
  for (const REKEY_APP of ["'web'", '"web"', "web ", " web", "Web", "WEB", "web\r", "$APP", "~"]) {
    const { code, stderr } = await box.run(["init"], { env: { REKEY_APP } });
    assert.equal(code, 2, REKEY_APP);
    assert.match(stderr, /^error: Cannot use .* as an app name\n/);
  }
  assert.deepEqual([...Deno.readDirSync(box.home)], []);
});
