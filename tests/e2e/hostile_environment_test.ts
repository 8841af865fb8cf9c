import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import {
  assertPlainRefusal,
  FOR_OTHERS,
  RUNS_FOR_OTHERS,
  unless,
} from "../support/faults/faults.ts";
import { Serving } from "../support/http/serving.ts";
import { traceRun } from "../support/process/trace.ts";

/** A user without an account here. */
const STRANGER = 54321;
const ROOT = Deno.uid() === 0;

/** Names under which programs look for configuration, modules, code and programs. */
const BAIT = [
  ...["deno.json", "deno.jsonc", "deno.lock", "package.json", ".npmrc", ".env", ".deno", "main.js"],
  ...["node_modules/commander/index.js", "node_modules/@napi-rs/keyring/index.js"],
  ...["deno-compile-rekey/main.js", "deno-compile-rekey/keyring.node", "rekey/main.js"],
  ...["deno-compile-rekey/keyring.node.sha256", "keyring.node", "v8_code_cache_v2"],
  ...["libc.so.6", "libm.so.6", "gconv-modules", "icudt74l.dat", "passwd", "bus", "rekey-kek"],
];

/** Programs that something might start by their bare name. */
const PROGRAMS = ["sh", "bash", "rekey", "dbus-launch", "cat", "node", "deno", "secret-tool"];

/** A folder with everything that may be mistaken for something else. Each program in it tells that it ran. */
class Trap {
  readonly folder: string;

  constructor(private readonly box: Box) {
    this.folder = join(box.home, "trap");
    const junk = "throw new Error('TRAPPED'); // TRAPPED";
    for (const name of BAIT) {
      const path = join(this.folder, name);
      Deno.mkdirSync(join(path, ".."), { recursive: true });
      Deno.writeTextFileSync(path, junk);
    }
    for (const name of PROGRAMS) {
      const path = join(this.folder, name === "rekey" ? "bin/rekey" : name);
      Deno.mkdirSync(join(path, ".."), { recursive: true });
      Deno.writeTextFileSync(path, `#!/bin/sh\n: > "${box.home}/ran-${name}"\n`);
      Deno.chmodSync(path, 0o755);
    }
  }

  /** Every variable of the runtime, of its libraries and of the system's that names a file, folder or address. */
  get env(): Record<string, string> {
    const { folder } = this;
    const file = join(folder, "main.js");
    const paths = {
      folder: ["TMPDIR", "TMP", "TEMP", "DENO_DIR", "DENO_INSTALL_ROOT", "DENO_COVERAGE_DIR"],
      more: ["NODE_V8_COVERAGE", "NODE_PATH", "SSL_CERT_DIR", "SQLITE_TMPDIR", "TZDIR", "LOCPATH"],
      file: ["DENO_CERT", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "OPENSSL_CONF", "NPM_CONFIG_RC"],
    };
    return {
      PATH: `${folder}:${folder}/bin:/usr/bin:/bin`,
      ...Object.fromEntries([...paths.folder, ...paths.more].map((name) => [name, folder])),
      ...Object.fromEntries(paths.file.map((name) => [name, file])),
      NODE_OPTIONS: `--require=${file} --import=${file}`,
      DENO_PERMISSION_BROKER_PATH: join(folder, "bus"),
      DENO_AUDIT_PERMISSIONS: join(folder, "audit"),
      DENO_AUTH_TOKENS: "token@localhost",
      DENO_V8_FLAGS: "--print-bytecode",
      DENO_TLS_CA_STORE: "system",
      DENO_KV_PATH_PREFIX: folder,
      NODE_CHANNEL_FD: "0",
      NODE_UNIQUE_ID: "1",
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
      DENO_TRACE_PERMISSIONS: "1",
      DENO_UNSTABLE_FFI_TRACE_TURBO: "1",
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
      HTTPS_PROXY: "http://127.0.0.1:9",
      // A relative one is no folder: https://specifications.freedesktop.org/basedir-spec/latest/
      // Those of data and configuration are refused: tests/e2e/paths_test.ts.
      XDG_CACHE_HOME: "trap",
    };
  }

  /** What is in its folder and was not put there. */
  get added(): string[] {
    const known = [...BAIT, ...PROGRAMS, "bin"].map((name) => name.split("/")[0]);
    return [...Deno.readDirSync(this.folder)].map(({ name }) => name)
      .filter((name) => !known.includes(name));
  }

  /** Programs of the trap that ran. */
  get ran(): string[] {
    return [...Deno.readDirSync(this.box.home)].map(({ name }) => name)
      .filter((name) => name.startsWith("ran-"));
  }
}

Deno.test("nothing in an environment and a working folder full of traps is read", async () => {
  using box = new Box();
  const trap = new Trap(box);
  const env = { ...trap.env, REKEY_KEK_COMMAND: `/bin/cat ${box.home}/kek` };
  Deno.writeTextFileSync(join(box.home, "kek"), "ab".repeat(32));
  const commands = [
    ["init"],
    ["issue", "--sub", "a", "--quiet"],
    ["rotate", "--force", "--quiet"],
    ["status", "--quiet"],
    ["backup", join(box.home, "backup.db"), "--quiet"],
    ["stats", "--quiet"],
  ];
  for (const args of commands) {
    const { ended, touches } = await traceRun(box, args, { env, cwd: trap.folder });
    assert.deepEqual([ended.code, ended.stderr.includes("TRAPPED")], [0, false], ended.stderr);
    const inside = touches.filter(({ what }) => what.startsWith(`${trap.folder}/`));
    assert.deepEqual(inside, [], args.join(" "));
    const connected = touches.filter(({ how }) => how === "connected" || how === "listened");
    // The system's own cache of its user database.
    assert.deepEqual(connected.filter(({ what }) => !/\/nscd\/socket$/.test(what)), []);
    assert.ok(touches.some(({ what }) => what === box.database), "the trace must show files");
  }
  assert.deepEqual(trap.ran, []);
  assert.deepEqual(trap.added, [], "nothing is written there");
});

Deno.test("serve listens where it is told, and not where the runtime's own variable says", async () => {
  using box = new Box();
  await box.run(["init"]);
  const token = await box.token();
  const socket = join(box.home, "elsewhere");
  for (const address of [`unix:${socket}`, `duplicate,unix:${socket}`]) {
    await using serving = await Serving.start(box, [], { env: { DENO_SERVE_ADDRESS: address } });
    assert.equal(await serving.auth(token), 204);
    assert.throws(() => Deno.lstatSync(socket), Deno.errors.NotFound);
  }
});

Deno.test("a relative home folder is ignored: nothing below another folder is used", async () => {
  using box = new Box();
  for (const HOME of [".", "home", "../x"]) {
    const { code, stderr } = await box.run(["init"], { env: { HOME } });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /there is no home folder/);
  }
  assert.deepEqual(box.files().size, 0);
});

Deno.test({
  name: "a home folder that belongs to someone else, or cannot be written, is refused",
  ignore: unless(RUNS_FOR_OTHERS, FOR_OTHERS),
  async fn() {
    using box = new Box();
    const home = join(box.home, "theirs");
    Deno.mkdirSync(home);
    Deno.chmodSync(box.home, 0o755);
    // Theirs, and whoever runs this may write in it all the same: root may.
    Deno.chownSync(home, STRANGER, STRANGER);
    const owned = await box.run(["init", "--store", "database"], { env: { HOME: home } });
    assertPlainRefusal(owned);
    assert.match(owned.stderr, /theirs on its path belongs to another user/);
    Deno.chmodSync(home, 0o777);
    Deno.chownSync(home, 0, 0);
    assert.match(
      (await box.run(["init"], { env: { HOME: home } })).stderr,
      /theirs on its path can be written by every user/,
    );
    Deno.chmodSync(home, 0o755);
    const rekey = join(box.home, "rekey");
    Deno.copyFileSync(REKEY, rekey);
    const flags = [`--reuid=${STRANGER}`, `--regid=${STRANGER}`, "--clear-groups", "--"];
    const env = { HOME: home };
    assertPlainRefusal(await box.exec("/usr/bin/setpriv", [...flags, rekey, "init"], { env }));
    assert.deepEqual([...Deno.readDirSync(home)], []);
  },
});

Deno.test("parent directories that others can replace are refused: nothing is created in them", async () => {
  using box = new Box();
  await box.run(["init"]);
  const local = join(box.home, ".local");
  Deno.chmodSync(local, 0o777);
  for (const args of [["status"], ["rotate", "--force"], ["init"], ["issue", "--sub", "a"]]) {
    const refused = await box.run(args);
    assertPlainRefusal(refused, { command: args[0] });
    assert.match(refused.stderr, /\.local on its path can be written by every user/);
  }
  // Where names cannot be taken from each other, as in /tmp, that is no matter.
  Deno.chmodSync(local, 0o1777);
  assert.equal((await box.run(["status"])).code, 0);
  Deno.chmodSync(local, 0o700);

  const open = join(box.home, "open");
  Deno.mkdirSync(open);
  Deno.chmodSync(open, 0o777);
  for (const name of ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"]) {
    // With a bus to ask, or the addon would not be unpacked at all.
    const env = { [name]: join(open, "x"), DBUS_SESSION_BUS_ADDRESS: "unix:path=/run/no-bus" };
    assertPlainRefusal(await box.run(["init", "--app", name.toLowerCase()], { env }));
    assert.deepEqual([...Deno.readDirSync(open)], [], name);
  }
});

Deno.test({
  name: "a symbolic link that another user has put on the way is not followed",
  ignore: unless(ROOT, "root"),
  async fn() {
    using box = new Box();
    const [target, link] = [join(box.home, "mine"), join(box.home, "link")];
    Deno.mkdirSync(target);
    Deno.symlinkSync(target, link);
    assert.equal((await box.run(["init", "--data-dir", link])).code, 0, "one's own is followed");
    await box.exec("/bin/chown", ["-h", String(STRANGER), link]);
    for (const folder of [link, join(link, "below")]) {
      const refused = await box.run(["init", "--data-dir", folder]);
      assertPlainRefusal(refused);
      assert.match(refused.stderr, /link on its path belongs to another user/);
    }
  },
});
