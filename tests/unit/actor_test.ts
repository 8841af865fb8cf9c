import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { accountOf, ACTOR_MATCHES, actorText, onBehalfOf } from "../../src/audit/actor.ts";
import { type CallerFacts, callerFrom } from "../../src/system/linux/caller.ts";

const ROOT = { account: "root", host: "web-1" };

Deno.test("an actor is USER@HOST, and in brackets what else is known", () => {
  assert.equal(actorText(ROOT), "root@web-1");
  assert.equal(actorText({ ...ROOT, login: "alice" }), "root@web-1 (login alice)");
  assert.equal(
    actorText({ ...ROOT, login: "alice", sudo: "bob", unit: "a.service" }),
    "root@web-1 (login alice, sudo bob, unit a.service)",
  );
  assert.equal(
    actorText({ ...ROOT, doas: "bob", inUserNamespace: true }),
    "root@web-1 (doas bob, user namespace)",
  );
  assert.equal(actorText({ ...ROOT, inUserNamespace: false }), "root@web-1");
  assert.equal(actorText({ ...ROOT, userUnit: "a.service" }), "root@web-1 (user unit a.service)");
  const served = actorText({ ...ROOT, unit: "rekey-serve.service" });
  assert.equal(onBehalfOf(served, "ci"), "root@web-1 (unit rekey-serve.service, token ci)");
  assert.equal(onBehalfOf("root@web-1", undefined), "root@web-1 (token without sub)");
  assert.equal(accountOf(onBehalfOf(served, "ci")), "root@web-1");
  assert.equal(accountOf("root@web-1"), "root@web-1");
});

Deno.test("no name of an actor is another detail, a line or too long", () => {
  const hostile = [
    "a, login root",
    "a) (login root",
    "a\nlogin root",
    "\u202eroot",
    "a\u0000b",
    '"',
    "a b",
    "",
    "x".repeat(100_000),
    "\ud800",
  ];
  for (const subject of hostile) {
    const actor = onBehalfOf("op@vm (login alice)", subject);
    const details = /^op@vm \((.*)\)$/.exec(actor)![1]!.split(", ");
    assert.equal(details.length, 2, actor);
    assert.match(details[1]!, /^token ("[^",()]*(\\"[^",()]*)*"|x+\.\.\.)$/);
    assert.doesNotMatch(actor, /[\p{C}\p{Zl}]/u);
    assert.ok(actor.length < 200);
    // An account of a directory server or of Windows may have brackets in its name.
    const own = actorText({ account: subject, host: subject, login: "alice" });
    assert.match(own, /^[^,()]*@[^,()]* \(login alice\)$/);
    assert.equal(accountOf(own), own.replace(" (login alice)", ""));
    assert.doesNotMatch(own, /[\p{C}\p{Zl}]/u);
    assert.ok(own.length < 200);
  }
  assert.match(onBehalfOf("op@vm", "jos\u00e9"), /token "jos\u00e9"\)$/);
});

Deno.test("rows are found by whole actor, by account and by detail", () => {
  using sqlite = new DatabaseSync(":memory:");
  const actor = 'root@web-1 (login alice, unit a.service, token "x\\u{2c} login bob")';
  const finds = (text: string) =>
    sqlite.prepare(`SELECT ${ACTOR_MATCHES} AS found FROM (SELECT ? AS actor)`).get(text, actor)!
      .found === 1;
  for (const text of [actor, "root@web-1", "login alice", "unit a.service"]) {
    assert.ok(finds(text), text);
  }
  for (const text of ["root", "alice", "login bob", "root@web", "unit a", "unit a.service)", ""]) {
    assert.ok(!finds(text), text);
  }
});

const FACTS: CallerFacts = {
  loginuid: undefined,
  cgroup: undefined,
  uidMap: undefined,
  uid: 0,
  nameOf: (uid) => ({ 1000: "alice", 1001: "bob" })[uid],
  variable: () => undefined,
};

Deno.test("the login user is who the kernel says, if it is not the user of the process", () => {
  const login = (loginuid: string | undefined, uid = 0) =>
    callerFrom({ ...FACTS, loginuid, uid }).login;
  assert.equal(login("1000"), "alice");
  assert.equal(login("1000\n"), "alice");
  assert.equal(login("1234"), "uid 1234");
  for (const none of [undefined, "", "4294967295", "words"]) assert.equal(login(none), undefined);
  assert.equal(login("1000", 1000), undefined);
});

Deno.test({
  name: "SUDO_USER counts for root only, and is not said twice",
  ignore: Deno.build.os === "windows",
  fn() {
    const caller = (variables: Record<string, string>, loginuid?: string) =>
      callerFrom({ ...FACTS, loginuid, variable: (name) => variables[name] });
    const isRoot = Deno.uid() === 0;
    assert.equal(caller({ SUDO_USER: "bob" }).sudo, isRoot ? "bob" : undefined);
    assert.equal(caller({ DOAS_USER: "bob" }).doas, isRoot ? "bob" : undefined);
    // doas may keep the caller's variables, sudo too: the one who asked is named, whoever else is.
    for (const forged of ["alice", "root"]) {
      const { sudo, doas } = caller({ SUDO_USER: forged, DOAS_USER: "bob" });
      assert.equal(doas, isRoot ? "bob" : undefined);
      assert.equal(sudo, isRoot && forged !== "root" ? forged : undefined);
    }
    assert.equal(caller({ SUDO_USER: "bob", DOAS_USER: "bob" }).doas, undefined);
    assert.equal(caller({ SUDO_USER: "root" }).sudo, undefined);
    assert.equal(caller({ SUDO_USER: "alice" }, "1000").sudo, undefined);
    assert.equal(caller({ SUDO_USER: "bob" }, "1000").sudo, isRoot ? "bob" : undefined);
  },
});

Deno.test("in a user namespace no variable counts, and the actor tells of it", () => {
  const caller = (uidMap: string | undefined) =>
    callerFrom({ ...FACTS, uidMap, variable: () => "bob" });
  const whole = "         0          0 4294967295\n";
  assert.equal(caller(whole).inUserNamespace, false);
  assert.equal(caller(undefined).inUserNamespace, false);
  for (const mapped of ["0 1000 1\n", "0 0 1\n", "0 100000 65536\n", "", `${whole}1 1 1\n`]) {
    const { inUserNamespace, sudo, doas } = caller(mapped);
    assert.deepEqual([inUserNamespace, sudo, doas], [true, undefined, undefined], mapped);
  }
});

Deno.test("a unit is that of the control group, and a session has none", () => {
  const unit = (cgroup: string) => {
    const { unit, userUnit } = callerFrom({ ...FACTS, cgroup });
    return userUnit === undefined ? unit : `user ${userUnit}`;
  };
  const USER = "/user.slice/user-1000.slice";
  const cases: Record<string, string | undefined> = {
    "0::/system.slice/rekey-rotate.service\n": "rekey-rotate.service",
    "0::/system.slice/system-rekey.slice/rekey@a.service\n": "rekey@a.service",
    "0::/system.slice/docker.service/child\n": "docker.service",
    "0::/system.slice/_cpu.service\n": "cpu.service",
    [`0::${USER}/session-3.scope\n`]: undefined,
    [`0::${USER}/user@1000.service/init.scope\n`]: undefined,
    [`0::${USER}/user@1000.service/app.slice/rekey-serve.service\n`]: "user rekey-serve.service",
    [`0::${USER}/user@1000.service/app.slice/app-terminal.scope\n`]: undefined,
    "0::/system.slice/docker-0123.scope/system.slice/a.service\n": undefined,
    "0::/\n": undefined,
    "": undefined,
    "9:name=systemd:/system.slice/cron.service\n8:pids:/system.slice/b.service\n0::/\n":
      "cron.service",
    "8:pids:/system.slice/b.service\n": undefined,
  };
  for (const [cgroup, wanted] of Object.entries(cases)) assert.equal(unit(cgroup), wanted, cgroup);
});

Deno.test("of ASCII, only control characters, commas and brackets are escaped in an account", () => {
  for (let code = 0; code < 0x80; code++) {
    const account = `a${String.fromCharCode(code)}`;
    const isEscaped = code < 0x20 || code === 0x7f || ",()".includes(account.at(-1)!);
    const shown = isEscaped ? `a\\u{${code.toString(16)}}` : account;
    assert.equal(actorText({ account, host: "web-1" }), `${shown}@web-1`);
  }
});
