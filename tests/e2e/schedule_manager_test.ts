import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { unless } from "../support/faults/faults.ts";
import { type Printed, schedule, withOldSecret } from "../support/commands/scheduling.ts";
import { keyFile, receiver } from "../support/commands/notices.ts";
import { hasUserManager, withUserManager } from "../support/commands/user_manager.ts";

const MANAGER = await hasUserManager();

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
    const own = await box.run(["audit", "list", "--actor", `unit ${UNIT}.service`]);
    assert.match(own.stdout, /rotation completed/, "the log names the unit");
  },
);

withSystemd("schedule systemd --system: a rotation works in the unit's sandbox", async (box) => {
  // What is not possible here: mounts that a container forbids, and a /tmp of its own, where this test has its files.
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

withSystemd(
  "schedule --remove: undoes what --install did, and nothing of another app",
  async (box) => {
    const ended = await withUserManager(
      box,
      `
'${REKEY}' schedule systemd --user --install >/dev/null 2>&1
'${REKEY}' schedule systemd --user --install --app shop >/dev/null 2>&1
'${REKEY}' schedule systemd --user --remove
systemctl --user list-timers --all --no-legend | grep -o 'rekey-rotate-[a-z]*.timer'
ls "$HOME/.config/systemd/user"
'${REKEY}' schedule systemd --user --remove
`,
    );
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
    const of = (app: string) =>
      ["-failed@.service", ".service", ".timer"].map((end) => `rekey-rotate-${app}${end}`);
    const folder = join(box.home, ".config/systemd/user");
    const lines = ended.stdout.trim().split("\n");
    assert.deepEqual(
      lines.slice(0, 3).sort(),
      of("agiworkforce").map((name) => `removed ${join(folder, name)}`).sort(),
    );
    assert.equal(lines[3], "rekey-rotate-shop.timer");
    assert.deepEqual(lines.slice(4, -1).sort(), [...of("shop"), "timers.target.wants"].sort());
    assert.match(lines.at(-1)!, /^Nothing to remove/);
  },
);

withSystemd(
  "schedule systemd --install: doctor says that it is older than the first delivery, until it is repeated",
  async (box) => {
    await withOldSecret(box);
    const ended = await withUserManager(
      box,
      `
install() { '${REKEY}' schedule systemd --user --install >/dev/null 2>&1; }
look() { '${REKEY}' doctor --json 2>/dev/null | grep -o schedule_older || echo fine; }
install
look
'${REKEY}' deliver add api --format text --path '${join(box.home, "key")}' >/dev/null
look
install
look
`,
    );
    assert.deepEqual(
      [ended.code, ended.stdout],
      [0, "fine\nschedule_older\nfine\n"],
      ended.stderr,
    );
  },
);

withSystemd(
  "schedule systemd --install: without a server, an old key leaves programs when its grace is over",
  async (box) => {
    const path = join(box.home, "keys.json");
    await withOldSecret(box);
    const added = await box.run(["deliver", "add", "api", "--format", "jwks", "--path", path]);
    assert.equal(added.code, 0, added.stderr);
    const ended = await withUserManager(
      box,
      `
export REKEY_STORE=database
keys() { grep -c '"kid"' '${path}'; }
'${REKEY}' schedule systemd --user --install -- --grace 10s >/dev/null 2>&1
systemctl --user show rekey-deliver-agiworkforce.service -p ActiveState,UnitFileState
systemctl --user start ${UNIT}.service
keys
for i in $(seq 300); do [ "$(keys)" = 1 ] && break; sleep 0.1; done
keys
systemctl --user kill --signal=KILL rekey-deliver-agiworkforce.service
for i in $(seq 300); do
  systemctl --user show rekey-deliver-agiworkforce.service -p NRestarts | grep -q '=1$' && break
  sleep 0.1
done
systemctl --user is-active rekey-deliver-agiworkforce.service
'${REKEY}' schedule systemd --user --remove >/dev/null
systemctl --user is-active rekey-deliver-agiworkforce.service || true
ls "$HOME/.config/systemd/user" | grep rekey-deliver || echo none
`,
    );
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
    assert.equal(
      ended.stdout,
      "ActiveState=active\nUnitFileState=enabled\n2\n1\nactive\ninactive\nnone\n",
      ended.stderr,
    );
  },
);

withSystemd(
  "OnFailure=: a service that is killed is told of by the unit beside it",
  async (box) => {
    await withOldSecret(box);
    await using taken = receiver();
    const [path] = keyFile(box);
    const ended = await withUserManager(
      box,
      `
export REKEY_STORE=database
'${REKEY}' schedule systemd --user --install -- --notify-url '${taken.url}' \
  --notify-key-file '${path}' --before 'touch $HOME/begun; sleep 60' >/dev/null 2>&1
systemctl --user start --no-block ${UNIT}.service
for i in $(seq 300); do [ -e "$HOME/begun" ] && break; sleep 0.1; done
systemctl --user kill --signal=KILL ${UNIT}.service
for i in $(seq 300); do
  systemctl --user show '${UNIT}-failed@${UNIT}.service' -p ExecMainStatus,ExecMainExitTimestamp |
    grep -q 'ExitTimestamp=.' && break
  sleep 0.1
done
systemctl --user show '${UNIT}-failed@${UNIT}.service' -p Result
`,
    );
    assert.equal(ended.stdout, "Result=success\n", ended.stderr);
    const posts = taken.posts.map(({ body }) => JSON.parse(body));
    assert.deepEqual(posts.map(({ type }) => type), ["rotation.failed"]);
    assert.match(posts[0].data.error, /signal, killed with KILL/);
  },
);

withSystemd("schedule systemd --install: someone else's unit stays", async (box) => {
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
for i in $(seq 2000); do [ -e "$HOME/ready" ] && break; sleep 0.05; done
for n in 1 2 3 4; do
  rm -f "$HOME/heard"
  '${REKEY}' rotate --force --store database >/dev/null 2>&1
  rotated=$(date +%s%N)
  for i in $(seq 2000); do [ -s "$HOME/heard" ] && break; sleep 0.05; done
  [ -s "$HOME/heard" ]
  took=$(( ($(cat "$HOME/heard") - rotated) / 1000000 ))
  # The quickest of some: a machine that is busy with something else may stop one of them.
  [ $took -lt 1000 ] && break
done
echo $took
systemctl --user stop api.service
systemctl --user show api.service -p Result
`,
  );
  assert.equal(ended.code, 0, ended.stderr);
  const [milliseconds, result] = ended.stdout.trim().split("\n");
  assert.ok(Number(milliseconds) < 1_000, ended.stdout);
  assert.equal(result, "Result=success");
});
