import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Box, REKEY } from "../support/box.ts";
import { unless } from "../support/faults.ts";
import { withUserManager } from "../support/user_manager.ts";

interface Printed {
  readonly files: readonly { readonly path: string; readonly content: string }[];
}

// What comes last is rotate's.
async function schedule(box: Box, ...args: string[]): Promise<Printed> {
  const { stdout, stderr } = await box.run(["schedule", "--json", ...args]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

/** Writes the files into a folder, and answers their paths there. */
function written(box: Box, { files }: Printed): string[] {
  const folder = join(box.home, "units");
  Deno.mkdirSync(folder, { recursive: true });
  return files.map(({ path, content }) => {
    const copy = join(folder, path.replace(/^.*\//, ""));
    Deno.writeTextFileSync(copy, content);
    return copy;
  });
}

const KINDS: string[][] = [
  ["--user"],
  ["--system"],
  ["--system", "--every", "12h", "--at", "4:05"],
  ["--system", "--credential", "/etc/credstore.encrypted/100% mine"],
  ["--user", "--data-dir", `a "strange" folder, 100% $HOME \\ 'x'`],
  ["--system", "--", "--after", `echo "50% $HOME" \\ 'x' é`, "--grace", "15m"],
];

Deno.test("schedule systemd: the units are what systemd understands", async () => {
  using box = new Box();
  for (const kind of KINDS) {
    const paths = written(box, await schedule(box, "systemd", ...kind));
    assert.equal(paths.length, 2);
    const verified = await box.exec("/usr/bin/systemd-analyze", ["verify", ...paths]);
    assert.deepEqual([verified.code, verified.stderr], [0, ""], kind.join(" "));
  }
  // That the check can fail.
  const bad = join(box.home, "units/bad.service");
  Deno.writeTextFileSync(bad, "[Service]\nExecStart=/no/such\nProtectHomes=yes\n");
  assert.notEqual((await box.exec("/usr/bin/systemd-analyze", ["verify", bad])).stderr, "");
});

Deno.test("schedule systemd --system: systemd finds little to fear", async () => {
  using box = new Box();
  const [service] = written(box, await schedule(box, "systemd", "--system"));
  const args = ["security", "--offline=yes", "--threshold=20", service!];
  const { code, stdout } = await box.exec("/usr/bin/systemd-analyze", args);
  assert.equal(code, 0, stdout.split("\n").slice(-3).join("\n"));
});

const ROOT = Deno.uid() === 0;
const MANAGER = ROOT && await hasManager();

async function hasManager(): Promise<boolean> {
  using box = new Box();
  return (await withUserManager(box, "true")).code === 0;
}

/** A secret that is old enough for a rotation to be due. */
async function withOldSecret(box: Box): Promise<void> {
  const { code, stderr } = await box.run(["init", "--store", "database"]);
  assert.equal(code, 0, stderr);
  const sqlite = new DatabaseSync(box.database);
  sqlite.exec(`UPDATE rekey_versions SET created_at = created_at - ${100 * 86_400_000}`);
  sqlite.close();
}

const UNIT = "rekey-rotate-agiworkforce";

function withSystemd(name: string, test: (box: Box) => Promise<void>): void {
  Deno.test({
    name,
    ignore: unless(MANAGER, "root and namespaces, for a systemd of their own"),
    async fn() {
      using box = new Box();
      await test(box);
    },
  });
}

withSystemd(
  "schedule systemd --install: a real user manager rotates when it is due, and not again",
  async (box) => {
    await withOldSecret(box);
    const ended = await withUserManager(
      box,
      `
export REKEY_STORE=database
'${REKEY}' schedule systemd --user --install
systemctl --user list-timers --no-legend
systemctl --user start ${UNIT}.service
systemctl --user start ${UNIT}.service
# A second time changes nothing, and with other flags the units are exchanged.
'${REKEY}' schedule systemd --user --install --every 30d >/dev/null
systemctl --user show ${UNIT}.timer -p ActiveState,UnitFileState
grep -c 30d "$HOME/.config/systemd/user/${UNIT}.service"
`,
    );
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
    assert.match(ended.stdout, /^installed .*\.service\ninstalled .*\.timer\n.*rekey-rotate.*\n/);
    assert.match(ended.stdout, /ActiveState=active\nUnitFileState=enabled\n2\n$/);
    const { version, last_rotation } = await box.json("status");
    assert.equal(version, 2);
    assert.notEqual(last_rotation, null);
    const { stdout } = await box.run(["audit", "list"]);
    assert.match(stdout, /scheduled/);
  },
);

withSystemd("schedule systemd --system: a rotation works in what it is shut in", async (box) => {
  // What cannot be had here: mounts that a container forbids, and a /tmp of its own, where this test has its files.
  const beyond = /^(PrivateTmp|ProtectKernelLogs|ProtectKernelTunables)=.*\n/gm;
  await withOldSecret(box);
  const { files } = await schedule(box, "systemd", "--system");
  const folder = join(box.home, ".config/systemd/user");
  Deno.mkdirSync(folder, { recursive: true });
  const [{ content }] = files as [Printed["files"][0]];
  assert.equal(content.match(beyond)?.length, 3);
  const shutIn = content.replace(beyond, "");
  Deno.writeTextFileSync(join(folder, `${UNIT}.service`), shutIn);
  // Without its folder it must not work: that shows that it is shut in.
  const locked = shutIn.replace(/^ReadWritePaths=.*\n/m, "");
  assert.notEqual(locked, shutIn);
  Deno.writeTextFileSync(join(folder, "locked.service"), locked);
  const ended = await withUserManager(
    box,
    `
systemctl --user start locked.service 2>/dev/null || echo "it cannot write"
systemctl --user start ${UNIT}.service
`,
  );
  assert.deepEqual([ended.code, ended.stdout], [0, "it cannot write\n"], ended.stderr);
  assert.equal((await box.json("status")).version, 2);
});

withSystemd("schedule systemd --install: a unit of somebody else's stays", async (box) => {
  const folder = join(box.home, ".config/systemd/user");
  Deno.mkdirSync(folder, { recursive: true });
  const theirs = join(folder, `${UNIT}.timer`);
  Deno.writeTextFileSync(theirs, "# mine\n");
  const ended = await withUserManager(box, `'${REKEY}' schedule systemd --user --install`);
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /is not rekey's\nhint: /);
  assert.deepEqual([...Deno.readDirSync(folder)].length, 1);
  assert.equal(Deno.readTextFileSync(theirs), "# mine\n");
});

withSystemd("a service with exec gets HUP within a second of a rotation", async (box) => {
  const folder = join(box.home, ".config/systemd/user");
  Deno.mkdirSync(folder, { recursive: true });
  await box.run(["init"]);
  const line = `trap 'date +%%s%%N > ${box.home}/heard' HUP; echo > ${box.home}/ready; ` +
    "while :; do sleep 0.05; done";
  Deno.writeTextFileSync(
    join(folder, "api.service"),
    `[Service]\nExecStart="${REKEY}" exec --on-rotate signal:HUP -- /bin/sh -c "${line}"\n`,
  );
  const ended = await withUserManager(
    box,
    `
systemctl --user start api.service
for i in $(seq 100); do [ -e "$HOME/ready" ] && break; sleep 0.05; done
'${REKEY}' rotate --force --store database >/dev/null 2>&1
rotated=$(date +%s%N)
for i in $(seq 100); do [ -s "$HOME/heard" ] && break; sleep 0.05; done
[ -s "$HOME/heard" ]
echo $(( ($(cat "$HOME/heard") - rotated) / 1000000 ))
systemctl --user stop api.service
systemctl --user show api.service -p Result
`,
  );
  assert.equal(ended.code, 0, ended.stderr);
  const [milliseconds, result] = ended.stdout.trim().split("\n");
  assert.ok(Number(milliseconds) < 1_000, ended.stdout);
  assert.equal(result, "Result=success");
});

Deno.test("schedule --install: without systemd it says so and writes nothing", async () => {
  using box = new Box();
  const { code, stderr } = await box.run(["schedule", "systemd", "--user", "--install"]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: Cannot schedule it: systemctl .*\nhint: .*cron.*\n$/);
  assert.deepEqual([...box.files().keys()], []);
});

Deno.test("schedule systemd --credential: what systemd-creds has sealed opens the secret", {
  ignore: unless(ROOT, "root"),
}, async () => {
  using box = new Box();
  const [key, sealed] = ["key", "rekey-kek.cred"].map((name) => join(box.home, name));
  const { stdout: line } = await box.exec("/bin/sh", ["-c", "head -c 32 /dev/urandom | base64"]);
  Deno.writeTextFileSync(key!, line, { mode: 0o600 });
  await box.run(["init", "--kek-file", key!]);
  const script = `systemd-creds encrypt --with-key=tpm2-absent --name=rekey-kek ${key} ${sealed} &&
    rm ${key} && mkdir -m 700 credentials &&
    systemd-creds decrypt --name=rekey-kek ${sealed} credentials/rekey-kek`;
  const made = await box.exec("/bin/sh", ["-c", `cd ${box.home}; ${script}`]);
  assert.equal(made.code, 0, made.stderr);
  assert.equal((await box.run(["issue", "--sub", "a"])).code, 4);
  const env = { CREDENTIALS_DIRECTORY: join(box.home, "credentials") };
  assert.equal((await box.run(["issue", "--sub", "a"], { env })).code, 0);
});

// All that cron and shells have a meaning for.
const SAID = String.raw`it's 100% \% \\ \\% \' "done"`;
const AFTER = `printf %s ${"'" + SAID.replaceAll("'", String.raw`'\''`) + "'"} > "$HOME/done"`;

/** What Vixie's cron hands to the shell. */
function asCronReads(command: string): string {
  let [read, escaped] = ["", false];
  for (const c of command) {
    if (escaped && (c === "%" || c === "\\")) read = read.slice(0, -1) + c;
    else if (c === "%") return read;
    else read += c;
    escaped = !escaped && c === "\\";
  }
  return read;
}

Deno.test("schedule cron: the line does what it says, in cron's own surroundings", async () => {
  using box = new Box({ REKEY_STORE: "database" });
  await withOldSecret(box);
  const { files: [file] } = await schedule(
    box,
    ...["cron", "--app", "agiworkforce", "--at", "4:05", "--", "--after"],
    AFTER,
  );
  const [, when, command] = /^((?:\S+ ){5})(.*)\n$/.exec(file!.content)!;
  assert.equal(when, "5 4 * * * ");
  const env = { PATH: "/usr/bin:/bin", REKEY_STORE: "", HOME: "/nowhere" };
  const line = asCronReads(command!);
  for (const version of [2, 2]) {
    const ended = await box.exec("/bin/sh", ["-c", line], { env });
    assert.deepEqual([ended.code, ended.stdout, ended.stderr], [0, "", ""]);
    assert.equal((await box.json("status")).version, version);
  }
  assert.equal(Deno.readTextFileSync(join(box.home, "done")), SAID);
});

Deno.test("schedule launchd: a property list that others can read", async () => {
  using box = new Box();
  const args = ["launchd", "--app", "x", "--", "--after", `a <b> & "c"`];
  const { files: [file] } = await schedule(box, ...args);
  const script =
    "import json,plistlib,sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))";
  const { code, stdout, stderr } = await box.exec("/usr/bin/python3", ["-c", script], {
    stdin: file!.content,
  });
  assert.equal(code, 0, stderr);
  const plist = JSON.parse(stdout);
  assert.deepEqual(plist.ProgramArguments, [
    ...[REKEY, "rotate", "--force", "--if-older-than", "90d", "--reason", "scheduled"],
    ...["--after", `a <b> & "c"`],
  ]);
  assert.deepEqual(plist.EnvironmentVariables, { REKEY_APP: "x", HOME: box.home });
  assert.deepEqual(plist.StartCalendarInterval, { Hour: 3, Minute: 0 });
});

Deno.test("schedule windows: quoted for PowerShell and for the program", async () => {
  using box = new Box();
  const args = ["windows", "--app", "x", "--every", "6h", "--", "--before", `say "it's\\" now`];
  const { files: [file] } = await schedule(box, ...args);
  assert.match(file!.content, /SetEnvironmentVariable\('REKEY_APP', 'x', 'User'\)/);
  assert.ok(file!.content.includes(`--before "say \\"it''s\\\\\\" now"'`), file!.content);
  assert.match(file!.content, /RepetitionInterval \(New-TimeSpan -Hours 1\)/);
});

Deno.test("schedule: what cannot be scheduled is exit 2 with a hint", async () => {
  using box = new Box();
  const lines = [
    [],
    ["anacron"],
    ["cron", "--every", "59m"],
    ["cron", "--every", "soon"],
    ["cron", "--at", "24:00"],
    ["cron", "--install"],
    ["launchd", "--credential", "x"],
    ["systemd", "--credential", ""],
    ["systemd", "--grace", "1h"],
    ["systemd", "--", "--nonsense"],
    ["systemd", "--", "--grace", "soon"],
    ["systemd", "--", "--force"],
    ["systemd", "--", "--notify-url", "ftp://x"],
    ["systemd", "--", "--notify-url", "https://example.com/", "--notify-key-file", "none"],
    ["systemd", "--user", "--system"],
    ["systemd", "--system", "--credential", "/x\nExecStartPre=/bin/evil"],
    ["cron", "--system"],
    ["cron", "--", "--after", "x".repeat(1_000)],
    ["systemd", "--", "--if-older-than", "1d"],
    ["systemd", "--", "more"],
    ["systemd", "--", "--after", "two\nlines"],
    ["cron", "--data-dir", "a\nb"],
  ];
  for (const line of lines) {
    const { code, stdout, stderr } = await box.run(["schedule", ...line]);
    assert.deepEqual([code, stdout], [2, ""], line.join(" "));
    assert.match(stderr, /^error: .*\nhint: .*\n$/, line.join(" "));
  }
  assert.deepEqual([...box.files().keys()], []);
});

Deno.test("schedule: what is named is there from any folder, and what must reach out may", async () => {
  using box = new Box({ REKEY_KEK_COMMAND: "tpm2_unseal -c 0x81000001" });
  Deno.writeTextFileSync(join(box.home, "key"), btoa("k".repeat(32)), { mode: 0o600 });
  const args = ["--system", "--", "--notify-url", "https://example.com/", "--notify-key-file=key"];
  const { files: [told] } = await schedule(box, "systemd", ...args);
  assert.ok(told!.content.includes(`--notify-key-file=${box.home}/key`), told!.content);
  const { files: [unit] } = await schedule(box, "systemd", "--system", "--credential", "cred");
  assert.match(unit!.content, new RegExp(`LoadCredentialEncrypted=rekey-kek:${box.home}/cred`));
  assert.doesNotMatch(unit!.content, /PrivateDevices|PrivateNetwork|AF_UNIX/);
});
