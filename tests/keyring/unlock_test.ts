import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { CAN_MOUNT, unless } from "../support/faults/faults.ts";

const BUS = join(import.meta.dirname!, "../support/keyring/bus.conf");

/** Ends every daemon of its user, so it runs among processes of its own. */
const OWN = ["--pid", "--fork", "--kill-child", "--mount-proc"];

const SERVICE = "--session --dest org.freedesktop.secrets --object-path /org/freedesktop/secrets";
const LOGIN = "/org/freedesktop/secrets/collection/login";

const OWNER = "gdbus call --session --dest org.freedesktop.DBus --object-path / " +
  "--method org.freedesktop.DBus.NameHasOwner org.freedesktop.secrets";
// A daemon prints its variables, and what it starts must not hold this script's output open.
const BEGIN = `
  daemon() { gnome-keyring-daemon --components=secrets "$@" >/dev/null 2>&1; }
  await() { timeout 60 sh -c "until gdbus introspect ${SERVICE}; do sleep 0.05; done" >/dev/null 2>&1; }
  gone() { timeout 60 sh -c "until ${OWNER} | grep -q false; do sleep 0.05; done" >/dev/null 2>&1; }
  unlocked() { printf test | daemon --unlock; await; }
`;
const LOCK = `gdbus call ${SERVICE} --method org.freedesktop.Secret.Service.Lock "['${LOGIN}']"`;

// What older advice says to do: it changes nothing, and must not keep the command from working.
const SECOND = "printf test | daemon --unlock; sleep 0.5";

const LOCKED = `unlocked; $REKEY init; ${LOCK}`;
const AGAIN = "unlocked; $REKEY init; pkill -x gnome-keyring-d; gone; daemon; await";
const HANGING = "unlocked; $REKEY init; pkill -STOP -x gnome-keyring-d";
const NONE = "daemon; await; $REKEY init";

type Case = [name: string, prepare: string, refused: string, code: RegExp];

const CASES: Case[] = [
  ["locked", LOCKED, "issue --sub a", /^keyring_locked$/],
  ["locked, with a second daemon", `${LOCKED}; ${SECOND}`, "issue --sub a", /^keyring_locked$/],
  ["never unlocked", AGAIN, "issue --sub a", /^keyring_locked$/],
  ["hanging", HANGING, "issue --sub a", /^keyring_timeout$/],
  ["without a collection", NONE, "store move keyring", /^keyring_no_default$/],
  [
    "without a collection, with a second daemon",
    `${NONE}; ${SECOND}`,
    "store move keyring",
    // The first daemon may have seen what the second has made.
    /^keyring_(no_default|locked)$/,
  ],
];

// The command is printed for people and by `doctor`; each is run as a person would. One that hangs is waited for in vain.
const follow = (refused: string, patience: string) => `
  export REKEY_KEYRING_TIMEOUT=${patience}
  $REKEY ${refused} --json 2>"$HOME/refusal"; echo $? >"$HOME/refused"
  $REKEY doctor --json >"$HOME/doctor"; $REKEY store show --json >"$HOME/shown"
  hint=$($REKEY ${refused} 2>&1 | sed -n 's/.*: \`\\(pkill [^\`]*\\)\`.*/\\1/p')
  command=$($REKEY doctor | sed -n 's/^ *\\$ \\(pkill .*\\)/\\1/p')
  printf %s "$hint" >"$HOME/hint"; printf %s "$command" >"$HOME/command"
  export REKEY_KEYRING_TIMEOUT=30s
  printf test | timeout 60 sh -c "$hint" >/dev/null 2>&1
  await
  $REKEY ${refused} >/dev/null 2>"$HOME/error"; echo $? >"$HOME/followed"
  $REKEY doctor --json >"$HOME/after"
`;

for (const [name, prepare, refused, code] of CASES) {
  Deno.test({
    name: `gnome-keyring ${name}: the command of the hint and of doctor makes it usable`,
    ignore: unless(CAN_MOUNT, "root that may unshare"),
    async fn() {
      using box = new Box({ REKEY, REKEY_KEYRING_TIMEOUT: "30s" });
      const patience = prepare === HANGING ? "3s" : "30s";
      const script = `${BEGIN}\n(${prepare}) >/dev/null 2>&1\n${follow(refused, patience)}`;
      const bus = ["dbus-run-session", `--config-file=${BUS}`, "--", "sh", "-c", script];
      const { stderr } = await box.exec("/usr/bin/unshare", [...OWN, ...bus]);
      const text = (file: string) => Deno.readTextFileSync(join(box.home, file)).trim();
      assert.equal(text("refused"), "4", stderr);
      assert.match(JSON.parse(text("refusal").split("\n")[0]!).error.code, code);
      const { findings } = JSON.parse(text("doctor"));
      const isKept = refused.startsWith("issue");
      assert.equal(findings.length, 1, text("doctor"));
      assert.match(findings[0].code, isKept ? code : /^keyring_unused$/);
      if (!isKept) assert.match(findings[0].what, /cannot be used now$/);
      if (!isKept) assert.match(JSON.parse(text("shown")).keyring, code);
      assert.match(text("hint"), /^pkill .*--unlock/);
      assert.equal(text("command"), text("hint"));
      assert.equal(text("followed"), "0", text("error"));
      assert.deepEqual(JSON.parse(text("after")).findings, []);
    },
  });
}
