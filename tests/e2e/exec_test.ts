import assert from "node:assert/strict";
import { Box, REKEY } from "../support/process/box.ts";
import { listener, observer, typist, verifier } from "../support/commands/exec_programs.ts";
import { isThere, Running } from "../support/process/running.ts";
import { sample } from "../support/process/sample.ts";
import { openSealed } from "../support/store/sealed.ts";
import { sh, WAYS, withSecret } from "../support/commands/exec_ways.ts";

const STATUSES = [...Array(256).keys()];

for (const flags of WAYS) {
  const way = flags.join(" ") || "plain";

  Deno.test(`exec (${way}): the program has the value that signs the tokens`, async () => {
    using box = await withSecret();
    const token = await box.token();
    const { kid } = await box.json("status");
    for (const name of ["JWT_SECRET", "_Signing_Key2"]) {
      const env = name === "JWT_SECRET" ? [] : ["--env", name];
      const line = ["exec", ...flags, ...env, "--", ...verifier(name)];
      const { code, stdout, stderr } = await box.run(line, { stdin: token });
      assert.deepEqual([code, stderr], [0, ""]);
      const [ofValue, length, verified, told] = stdout.trim().split(" ");
      assert.deepEqual([ofValue, length, verified], [kid, "88", "True"]);
      assert.equal(told, kid);
    }
    const { reason, event } = (await rows(box)).at(-1)!;
    assert.deepEqual([reason, event], [
      "exec python3",
      "JWT secret retrieved from database (fallback)",
    ]);
    assert.equal((await box.run(["audit", "verify"])).code, 0);
  });

  Deno.test(`exec (${way}): the value is in the program's environment and nowhere else`, async () => {
    using box = await withSecret();
    const { value } = await openSealed(box);
    await using running = await Running.start(box, listener(), { flags });
    const ids = [running.id, ...running.children()];
    assert.equal(ids.length, flags.length === 0 ? 1 : 2);
    for (const id of ids) {
      const program = id === ids.at(-1);
      assert.ok(!Deno.readTextFileSync(`/proc/${id}/cmdline`).includes(value));
      assert.equal(Deno.readTextFileSync(`/proc/${id}/environ`).includes(value), program);
      assert.equal(/python/.test(Deno.readTextFileSync(`/proc/${id}/cmdline`)), true);
    }
    for (const [path, bytes] of box.files()) {
      assert.ok(!new TextDecoder("latin1").decode(bytes).includes(value), path);
    }
  });

  Deno.test(`exec (${way}): what opens the KEK stays with rekey, all else is as it was`, async () => {
    using box = new Box({ REKEY_KEK_COMMAND: `echo ${"ab".repeat(32)}` });
    await box.run(["init"]);
    const more = ["REKEY_KEK_FILE", "REKEY_PASSPHRASE_FILE", "REKEY_PASSPHRASE_COMMAND"];
    more.push("REKEY_ETCD_CA", "REKEY_ETCD_CERT", "REKEY_ETCD_KEY");
    const env = {
      ...Object.fromEntries(more.map((name) => [name, ""])),
      REKEY_ETCD_ENDPOINTS: "http://127.0.0.1:1",
      REKEY_ETCD_PREFIX: "/x/",
      REKEY_ETCD_USER: "x",
      REKEY_ETCD_PASSWORD_FILE: "/x",
      REKEY_APP: "agiworkforce",
    };
    const line =
      `/usr/bin/env -0 | /usr/bin/tr '\\0\\n' '\\n!' | /usr/bin/cut -d= -f1 | /usr/bin/sort`;
    const before = `umask 027; ulimit -n 500; exec "$0" "$@"`;
    const state = `umask; ulimit -n; /bin/cat /proc/self/status | /bin/grep -E 'Sig(Blk|Ign|Cgt)'`;
    const told = await box.exec("/bin/sh", [
      ...["-c", before, REKEY, "exec", ...flags, "--", ...sh(`${state}; ${line}`)],
    ], { env });
    const names = told.stdout.trim().split("\n");
    assert.deepEqual(names.slice(0, 2), ["0027", "500"], told.stderr);
    // Of blocked, ignored and caught signals those that have names: two above belong to the C library.
    const masks = names.slice(2, 5).map((line) =>
      Number.parseInt(line.slice(-8), 16) & 0x7fff_ffff
    );
    assert.deepEqual(masks, [0, 0, 0]);
    const left = names.slice(5).filter((name) => /^(REKEY|JWT)/.test(name));
    assert.deepEqual(left, ["JWT_SECRET", "REKEY_ALG", "REKEY_APP", "REKEY_KID"]);
  });

  Deno.test(`exec (${way}): the caller's NO_PROXY is the program's, whatever etcd needs`, async () => {
    using box = await withSecret();
    const args = ["exec", ...flags, "--", ...sh('echo "${NO_PROXY-none} ${no_proxy-none}"')];
    for (const given of [{}, { NO_PROXY: "" }, { NO_PROXY: "a,b" }, { no_proxy: "c" }]) {
      const env = { REKEY_ETCD_ENDPOINTS: "http://127.0.0.1:1", ...given };
      const { stdout, stderr } = await box.run(args, { env });
      const { NO_PROXY = "none", no_proxy = "none" } = given as Record<string, string>;
      assert.equal(stdout, `${NO_PROXY} ${no_proxy}\n`, stderr);
    }
  });

  Deno.test(`exec (${way}): stdin and a large output pass, and nothing is read by a shell`, async () => {
    using box = await withSecret();
    const stdin = crypto.getRandomValues(new Uint8Array(65_536)).toHex().repeat(32);
    const copied = await box.run(["exec", ...flags, "--", "cat"], { stdin });
    assert.deepEqual([copied.code, copied.stderr], [0, ""]);
    assert.ok(copied.stdout === stdin, "4 MiB there and back");
    const words = [
      "; touch x",
      "$HOME",
      "`touch y`",
      "*",
      "",
      " a  b ",
      "--json",
      "-q",
      "--",
      "é\n",
    ];
    const said = await box.run(["exec", ...flags, "--", "printf", "[%s]", ...words]);
    assert.equal(said.stdout, words.map((word) => `[${word}]`).join(""));
    assert.deepEqual([...Deno.readDirSync(box.home)].map(({ name }) => name).sort(), [
      ".config",
      ".local",
    ]);
  });

  Deno.test(`exec (${way}): signals reach the program, each once, and its status is rekey's`, async () => {
    using box = await withSecret();
    await using running = await Running.start(box, listener(), { flags });
    const signals = ["HUP", "INT", "QUIT", "USR1", "USR2", "WINCH", "CONT", "TERM"];
    const children = running.children();
    for (const name of signals) {
      running.process.kill(`SIG${name}` as Deno.Signal);
      if (name !== "TERM") await running.until(() => running.stdout.includes(`SIG${name}`));
    }
    assert.equal((await running.ended()).code, 21);
    const heard = [...running.stdout.matchAll(/^SIG(\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(heard, signals);
    assert.deepEqual(children.filter(isThere), [], "neither orphan nor zombie");
  });

  Deno.test(`exec (${way}): a program that a signal ends is seen to be ended by it`, async () => {
    using box = await withSecret();
    for (const signal of ["TERM", "INT", "HUP", "QUIT", "KILL", "SEGV", "ABRT", "PIPE", "34"]) {
      const line = [REKEY, "exec", ...flags, "--", ...sh(`ulimit -c 0; kill -${signal} $$`)];
      const [program, ...args] = observer(...line);
      const { stdout } = await box.exec(program!, args);
      const { stdout: number } = await box.exec("/bin/bash", ["-c", `kill -l ${signal}`]);
      const wanted = signal === "34" ? 34 : Number(number);
      assert.equal(Number(stdout), -wanted, signal);
    }
  });

  Deno.test(`exec (${way}): Ctrl-C on a terminal comes once`, async () => {
    using box = await withSecret();
    const [program, ...args] = typist(REKEY, "exec", ...flags, "--", ...listener("deaf"));
    const { stdout, stderr } = await box.exec(program!, args);
    assert.match(stdout, /SIGTERM/, `others are passed on there too: ${stdout}${stderr}`);
    assert.equal(stdout.match(/SIGINT/g)?.length, 1, stdout);
  });

  Deno.test(`exec (${way}): every exit status is the program's`, async () => {
    using box = await withSecret();
    // Those that shells and systems give a meaning to, and every thirty-second of all.
    const codes = [...new Set([1, 2, 6, 126, 127, 128, 143, 255, ...sample(STATUSES, 32)])];
    const count = codes.length;
    const found: number[] = [];
    const next = async () => {
      for (let code; (code = codes.shift()) !== undefined;) {
        const ended = await box.run(["exec", ...flags, "--", ...sh(`exit ${code}`)]);
        assert.deepEqual([ended.code, ended.stdout, ended.stderr], [code, "", ""]);
        found.push(code);
      }
    };
    await Promise.all([next(), next(), next(), next()]);
    assert.equal(found.length, count);
  });
}

function linkOf(path: string): string[] {
  try {
    return [Deno.readLinkSync(path)];
  } catch {
    // The one that lists the folder is closed by now.
    return [];
  }
}

async function rows(box: Box) {
  const { stdout } = await box.run(["audit", "list", "--json"]);
  return stdout.trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test("exec: without --on-rotate no process of rekey's remains", async () => {
  using box = await withSecret();
  await using running = await Running.start(box, listener());
  assert.match(Deno.readLinkSync(`/proc/${running.id}/exe`), /python/);
  assert.match(running.stdout, new RegExp(`^ready ${running.id} `));
  // Whoever runs the tests may have handed on some of their own.
  const open = (id: string) =>
    [...Deno.readDirSync(`/proc/${id}/fd`)].filter(({ name }) => Number(name) > 2)
      .flatMap(({ name }) => linkOf(`/proc/${id}/fd/${name}`));
  assert.deepEqual(open(String(running.id)).filter((file) => !open("self").includes(file)), []);
});

Deno.test("exec: open files of the caller's are handed on, as systemd's sockets are", async () => {
  using box = await withSecret();
  const line = `exec 3</etc/passwd; exec "$0" exec -- /bin/sh -c 'head -c 4 <&3; echo; echo $PPID'`;
  const { stdout } = await box.exec("/bin/sh", ["-c", line, REKEY]);
  assert.match(stdout, /^root\n/);
});
