import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";
import { unless } from "../support/faults/faults.ts";
import { type Printed, schedule } from "../support/commands/scheduling.ts";

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

async function withDelivery(box: Box): Promise<void> {
  assert.equal((await box.run(["init"])).code, 0);
  const target = ["--format", "jwks", "--path", join(box.home, "keys.json")];
  const added = await box.run(["deliver", "add", "api", ...target]);
  assert.equal(added.code, 0, added.stderr);
}

const KINDS: string[][] = [
  ["--user"],
  ["--system"],
  ["--system", "--every", "12h", "--at", "4:05"],
  ["--system", "--credential", "/etc/credstore.encrypted/100% mine"],
  ["--user", "--data-dir", `a "strange" folder, 100% $ \\ 'x' end`],
  ["--system", "--", "--after", `echo "50% $HOME" \\ 'x' é`, "--grace", "15m"],
];

Deno.test("schedule systemd: the units are what systemd understands", async () => {
  using box = new Box();
  for (const kind of KINDS) {
    const paths = written(box, await schedule(box, "systemd", ...kind));
    assert.equal(paths.length, 3);
    const verified = await box.exec("/usr/bin/systemd-analyze", ["verify", ...paths]);
    assert.deepEqual([verified.code, verified.stderr], [0, ""], kind.join(" "));
  }
  await withDelivery(box);
  for (const kind of ["--user", "--system"]) {
    const paths = written(box, await schedule(box, "systemd", kind));
    assert.equal(paths.length, 4);
    const verified = await box.exec("/usr/bin/systemd-analyze", ["verify", ...paths]);
    assert.deepEqual([verified.code, verified.stderr], [0, ""], kind);
  }
  // That the check can fail.
  const bad = join(box.home, "units/bad.service");
  Deno.writeTextFileSync(bad, "[Service]\nExecStart=/no/such\nProtectHomes=yes\n");
  assert.notEqual((await box.exec("/usr/bin/systemd-analyze", ["verify", bad])).stderr, "");
});

Deno.test("schedule systemd --system: systemd-analyze rates the unit as safe", async () => {
  using box = new Box();
  const [service] = written(box, await schedule(box, "systemd", "--system"));
  const args = ["security", "--offline=yes", "--threshold=20", service!];
  const { code, stdout } = await box.exec("/usr/bin/systemd-analyze", args);
  assert.equal(code, 0, stdout.split("\n").slice(-3).join("\n"));
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

Deno.test("schedule: the units send the audit log where this command does, and may write its file", async () => {
  using box = new Box();
  const sinks = ["--audit-to", "journal", "--audit-to", "./logs/a.jsonl"];
  const { files: [unit] } = await schedule(box, "systemd", "--system", ...sinks);
  const named = `journal,${box.home}/logs/a.jsonl`;
  assert.ok(unit!.content.includes(`REKEY_AUDIT_TO=${named}`), unit!.content);
  assert.ok(unit!.content.includes(`ReadWritePaths=-${box.home}/logs`), unit!.content);
  const task = await box.run(["schedule", "windows"], { env: { REKEY_AUDIT_TO: named } });
  assert.ok(task.stdout.includes(`--audit-to journal --audit-to ${box.home}/logs/a.jsonl`));
});

Deno.test("schedule: with deliveries the service may write and reload them, and one goes on", async () => {
  using box = new Box();
  await withDelivery(box);
  const { files } = await schedule(box, "systemd", "--system");
  const [rotating, , , watching] = files;
  assert.doesNotMatch(rotating!.content, /ProtectSystem|PrivateNetwork|AF_UNIX/);
  assert.match(watching!.path, /\/rekey-deliver-agiworkforce\.service$/);
  assert.match(watching!.content, /^ExecStart=\S+ deliver sync --watch$/m);
  assert.match(watching!.content, /^Restart=always$/m);
  const { files: [crontab] } = await schedule(box, "cron");
  assert.match(
    crontab!.content,
    /\n(\* ){5}.* deliver sync --quiet >\/dev\/null 2>&1 # rekey-rotate-\w+\n$/,
  );
});

Deno.test("schedule: an address that is a secret is in no unit, line or task", async () => {
  using box = new Box();
  const address = "https://hooks.slack.com/services/T0/B0/S3CRETtoken";
  const file = join(box.home, "slack");
  Deno.writeTextFileSync(file, `${address}\n`, { mode: 0o600 });
  for (const kind of ["systemd", "cron", "launchd", "windows"]) {
    const { code, stdout, stderr } = await box.run([
      ...["schedule", kind, "--", "--notify-url", address],
    ]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /hint: .*--notify-url-file FILE/);
    const { files } = await schedule(box, kind, "--", "--notify-url-file", "slack");
    const contents = files.map(({ content }) => content).join("\n");
    assert.ok(contents.includes(file), contents);
    assert.ok(!(contents + stderr).includes("S3CRET"));
  }
  const { files: [, , failed] } = await schedule(box, "systemd", "--", "--notify-url-file=slack");
  assert.ok(
    failed!.content.includes(`--tell-failure --reason scheduled --notify-url-file=${file}`),
  );
});

Deno.test("schedule: units of two apps, and of two folders, are apart and name their own", async () => {
  using box = new Box();
  const kinds = [[], ["--app", "shop"], ["--app", "shop", "--data-dir", "a"], [
    ...["--app", "shop", "--data-dir", "b"],
  ]];
  for (const kind of ["systemd", "launchd", "windows"]) {
    const all = await Promise.all(kinds.map((args) => schedule(box, kind, ...args)));
    const paths = all.flatMap(({ files }) => files.map(({ path }) => path));
    assert.equal(new Set(paths).size, paths.length, paths.join(" "));
    all.forEach(({ files: [main] }, at) => {
      assert.match(main!.content, at === 0 ? /agiworkforce/ : /shop/);
      if (at > 1) assert.ok(main!.content.includes(join(box.home, at === 2 ? "a" : "b")));
    });
  }
  const lines = await Promise.all(kinds.map((args) => schedule(box, "cron", ...args)));
  const marks = lines.map(({ files: [file] }) => file!.content.replace(/^.* # /s, ""));
  assert.equal(new Set(marks).size, marks.length);
});

Deno.test("schedule --remove: what no command of rekey's has installed is told how to remove", async () => {
  using box = new Box();
  for (
    const [kind, how] of [
      ["cron", /crontab -l \| grep -v '# rekey-rotate-shop\$' \| crontab -/],
      [
        "launchd",
        /launchctl bootout (gui\/\$\(id -u\)|system)\/rekey-rotate-shop; rm .*rekey-rotate-shop\.plist/,
      ],
      ["windows", /schtasks \/Delete \/TN rekey-rotate-shop \/F/],
    ] as const
  ) {
    const { code, stdout } = await box.run(["schedule", kind, "--app", "shop", "--remove"]);
    assert.equal(code, 0);
    assert.match(stdout, how);
  }
  const nothing = await box.run(["schedule", "systemd", "--user", "--remove"]);
  assert.deepEqual([nothing.code, nothing.stdout], [0, "Nothing to remove: no unit is there\n"]);
  assert.equal((await box.run(["schedule", "systemd", "--remove", "--install"])).code, 2);
});

Deno.test("schedule --install: without systemd it says so and writes nothing", async () => {
  using box = new Box();
  const { code, stderr } = await box.run(["schedule", "systemd", "--user", "--install"]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: Cannot schedule it: systemctl .*\nhint: .*cron.*\n$/);
  assert.deepEqual([...box.files().keys()], []);
});

Deno.test("schedule systemd --credential: what systemd-creds has sealed opens the secret", {
  ignore: unless(Deno.uid() === 0, "root"),
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
