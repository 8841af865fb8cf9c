import assert from "node:assert/strict";
import { join } from "node:path";
import { type Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { copyOf } from "../support/process/copied.ts";
import { sample } from "../support/process/sample.ts";
import { everyCommand } from "../support/commands/command_table.ts";
import { takesValue } from "../../src/cli/flags/command.ts";

/** How an input is named, and what else the command needs to get as far as reading it. */
interface Input {
  readonly line: (path: string) => string[];
  readonly env?: (path: string) => Record<string, string>;
  /** What it holds when it is in order; without it that is tested elsewhere. */
  readonly content?: string;
  /** Whether it is read again later, so that a pipe is refused. */
  readonly again?: true;
}

const SECRET = "a-secret-of-an-application-that-is-long-enough-for-HS512-tokens-xyz";
const RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const ROTATE = ["rotate", "--force", "--notify-url", "https://127.0.0.1:1/"];
const etcd = (name: string) => (path: string) => ({
  REKEY_ETCD_ENDPOINTS: "https://127.0.0.1:1",
  REKEY_ETCD_USER: "rekey",
  [name]: path,
});

const VERIFY_EXPORT = ["audit", "verify-export", "--key", "@log.key"];

// Nothing is delivered: the input is refused before.
const NOWHERE = "/run/rekey-test/keys";

/** Every option, argument and variable that names a file to be read. */
const INPUTS: Record<string, Input> = {
  "import --file": { line: (path) => ["--app", "x", "import", "--file", path], content: SECRET },
  "backup --passphrase-file": {
    line: (path) => ["backup", `${path}.out`, "--with-secret", "--passphrase-file", path],
    content: "correct horse battery staple\n",
  },
  "backup --recipients-file": {
    line: (path) => ["backup", `${path}.out`, "--with-secret", "--recipients-file", path],
    content: `${RECIPIENT}\n`,
  },
  "issue --claims-file": {
    line: (path) => ["issue", "--sub", "alice", "--claims-file", path],
    content: '{"role":"admin"}',
  },
  "user claims --claims-file": {
    line: (path) => ["user", "claims", "alice", "--claims-file", path],
  },
  "deliver add --template": {
    line: (path) => ["deliver", "add", "api", "--template", path, "--path", NOWHERE],
  },
  "deliver add --preset-file": {
    line: (path) => ["deliver", "add", "api", "--preset-file", path, "--path", NOWHERE],
  },
  "restore <path>": { line: (path) => ["restore", path, "--force"] },
  "restore --passphrase-file": {
    line: (path) => ["restore", "sealed.db", "--force", "--passphrase-file", path],
    content: "correct horse battery staple",
  },
  "restore --identity-file": {
    line: (path) => ["restore", "sealed.db", "--force", "--identity-file", path],
  },
  "audit merge <files>": { line: (path) => ["audit", "merge", path], content: "\n" },
  "audit verify-export <file>": {
    line: (path) => [...VERIFY_EXPORT, path, "--checkpoint", "notes"],
  },
  "audit verify-export --checkpoint": {
    line: (path) => [...VERIFY_EXPORT, "log.jsonl", "--checkpoint", path],
  },
  "rotate --notify-key-file": { line: (path) => [...ROTATE, "--notify-key-file", path] },
  "security rotate-jwt-secret --notify-key-file": {
    line: (
      path,
    ) => ["security", "rotate-jwt-secret", ...ROTATE.slice(1), "--notify-key-file", path],
  },
  "rotate --notify-url-file": { line: (path) => ["rotate", "--force", "--notify-url-file", path] },
  "security rotate-jwt-secret --notify-url-file": {
    line: (path) => ["security", "rotate-jwt-secret", "--force", "--notify-url-file", path],
  },
  "--kek-file": { line: (path) => ["--app", "x", "--kek-file", path, "init"], again: true },
  "kek rotate --to-kek-file": {
    line: (path) => ["kek", "rotate", "--to-kek-file", path],
    again: true,
  },
  "serve --tls-cert": {
    line: (path) => ["serve", "--tls-cert", path, "--tls-key", path, "--listen", "127.0.0.1:0"],
    again: true,
  },
  "serve --tls-key": {
    line: (path) => ["serve", "--tls-cert", "b.db", "--tls-key", path, "--listen", "127.0.0.1:0"],
    again: true,
  },
  "serve --metrics-token-file": {
    line: (path) => ["serve", "--metrics-token-file", path, "--listen", "127.0.0.1:0"],
    again: true,
  },
  REKEY_KEK_FILE: {
    line: () => ["--app", "x", "init"],
    env: (path) => ({ REKEY_KEK_FILE: path }),
    again: true,
  },
  REKEY_PASSPHRASE_FILE: {
    line: () => ["--app", "x", "init"],
    env: (path) => ({ REKEY_PASSPHRASE_FILE: path }),
    again: true,
  },
  ...Object.fromEntries(
    ["REKEY_ETCD_CA", "REKEY_ETCD_PASSWORD_FILE"].map((name) => [
      name,
      { line: () => ["store", "move", "etcd"], env: etcd(name), again: true } as const,
    ]),
  ),
  "import --passphrase-file": {
    line: (path) => ["--app", "y", "import", "--file", "key.pem", "--passphrase-file", path],
    content: "correct horse battery staple\n",
  },
};

/** Options with a path that is no input: a folder, a socket, what is written into a unit. */
const NO_INPUTS = [
  "--data-dir",
  "serve --unix",
  "schedule --credential",
  "backup <path>",
  "deliver add --path",
  "exec --keys-dir",
];

Deno.test("inputs: each option and argument of the command table that names a file is tested here", async () => {
  const named = (await everyCommand()).flatMap(({ words, command }) => [
    ...command.options.filter((option) => takesValue(option) && /<(path|file)>/.test(option.flags))
      .map(({ long }) => [...words, long].join(" ")),
    ...command.registeredArguments.filter((argument) => /^(path|files?)$/.test(argument.name()))
      .map((argument) => [...words, `<${argument.name()}>`].join(" ")),
  ]);
  assert.ok(named.length > 10);
  for (const name of named) assert.ok(name in INPUTS || NO_INPUTS.includes(name), name);
});

// Sealing under a passphrase takes a second of a processor: it is done once, and the home folder is copied.
const original = await makeOriginal();
globalThis.addEventListener("unload", () => original[Symbol.dispose]());

const prepared = () => copyOf(original);

async function makeOriginal(): Promise<Box> {
  const box = await initialised();
  const sealed = ["backup", "sealed.db", "--with-secret", "--passphrase-file", "/dev/stdin"];
  const { code, stderr } = await box.run(sealed, { stdin: "correct horse battery staple" });
  assert.equal(code, 0, stderr);
  assert.equal((await box.run(["backup", "b.db"])).code, 0);
  for (const [file, what] of [["log.key", "key"], ["notes", "checkpoint"]] as const) {
    Deno.writeTextFileSync(join(box.home, file), (await box.run(["audit", what])).stdout);
  }
  const key = ["genpkey", "-algorithm", "Ed25519", "-aes256", "-out", "key.pem"];
  const pass = ["-pass", "pass:correct horse battery staple"];
  assert.equal((await box.exec("openssl", [...key, ...pass])).code, 0);
  return box;
}

// What cannot be read is refused with an error of rekey's own, in bounded time and memory, and changes nothing.
async function refused(box: Box, { line, env }: Input, path: string, what: string): Promise<void> {
  const args = ["120", REKEY, ...line(path)];
  const options = env === undefined ? {} : { env: env(path) };
  const { code, stderr, stdout } = await box.exec("/usr/bin/timeout", args, options);
  const all = `${what}: ${code} ${stdout}${stderr}`;
  assert.ok([1, 2, 4].includes(code), all);
  assert.match(stderr, /^error: Cannot .*\nhint: .*\n$/m, all);
  assert.doesNotMatch(stderr, /out of the way/, `${all}: others may need what is there`);
  assert.doesNotMatch(stderr, /internal|bug in rekey|panicked/i, all);
  assert.equal(stdout, "", all);
  assert.equal(await exists(`${path}.out`), false, `${all}: half of a backup`);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

type Kind = (box: Box, path: string) => void | Promise<void> | Disposable;

const KINDS: Record<string, Kind> = {
  "a folder": (_, path) => Deno.mkdirSync(path),
  "nothing of that name": () => {},
  "an empty file": (_, path) => Deno.writeFileSync(path, new Uint8Array()),
  "a device that never ends": (_, path) => Deno.symlinkSync("/dev/zero", path),
  "the device that has nothing": (_, path) => Deno.symlinkSync("/dev/null", path),
  "a socket": (_, path) => Deno.listen({ transport: "unix", path }),
  "a file of a terabyte": (_, path) => {
    Deno.writeFileSync(path, new Uint8Array());
    Deno.truncateSync(path, 2 ** 40);
  },
  "bytes that are no UTF-8": (_, path) => {
    Deno.writeFileSync(path, new Uint8Array(64).fill(0xff), { mode: 0o600 });
  },
  "a file that another user keeps shut": (_, path) => Deno.symlinkSync("/proc/1/mem", path),
};

// Several at a time: each waits for its program.
async function all<T>(things: readonly T[], work: (thing: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < things.length; at += 4) {
    await Promise.all(things.slice(at, at + 4).map(work));
  }
}

for (const [at, [what, make]] of Object.entries(KINDS).entries()) {
  Deno.test(`inputs: ${what} is refused wherever a file is named`, async () => {
    using box = prepared();
    const { kid } = await box.json("status");
    const names = Object.keys(INPUTS);
    // Every third name with each kind, and every third kind with each name.
    await all(sample(names, 3, at), async (name) => {
      // An empty log is one.
      if (name === "audit merge <files>" && what === "an empty file") return;
      const path = join(box.home, `in${names.indexOf(name)}`);
      using _made = await make(box, path) ?? { [Symbol.dispose]() {} };
      await refused(box, INPUTS[name]!, path, `${name}: ${what}`);
    });
    assert.equal((await box.json("status")).kid, kid);
  });
}

Deno.test("inputs: a pipe that no one writes to is waited for, and not for ever", async () => {
  using box = prepared();
  const names = Object.keys(INPUTS);
  await Promise.all(names.map(async (name) => {
    const path = join(box.home, `fifo${names.indexOf(name)}`);
    assert.equal((await box.exec("/usr/bin/mkfifo", [path])).code, 0);
    await refused(box, INPUTS[name]!, path, name);
  }));
});

Deno.test("inputs: what comes out of a pipe, a descriptor or stdin is read as from a file", async () => {
  using box = prepared();
  await box.exec("/usr/bin/mkfifo", ["fifo"]);
  const ways = [`<(printf %s "$1")`, "/dev/stdin", "/dev/fd/9", "-", "fifo"];
  for (const [at, [name, { line, content }]] of Object.entries(INPUTS).entries()) {
    if (content === undefined) continue;
    for (const way of sample(ways, ways.length, at)) {
      const made = `made${ways.indexOf(way)}`;
      const words = line("PLACE").map((word) =>
        word === "PLACE" ? way : `'${word.replace("PLACE", `${made}-${name.replace(/\W/g, "")}`)}'`
      );
      const feeding = way === "fifo"
        ? `printf %s "$1" > fifo & `
        : `exec 9< <(printf %s "$1"); printf %s "$1" | `;
      const script = `${feeding}"$0" ${words.join(" ")}`;
      const { code, stderr } = await box.exec("/bin/bash", ["-c", script, REKEY, content], {
        env: { REKEY_DEBUG: "1" },
      });
      assert.equal(code, 0, `${script}: ${stderr}`);
    }
  }
});
