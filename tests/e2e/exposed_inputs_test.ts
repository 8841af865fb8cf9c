import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { ForeignKeys } from "../support/commands/foreign_keys.ts";
import { Serving } from "../support/http/serving.ts";
import { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";

const WARNING = /^warning: other users can read \S+ \(mode 0644\); `chmod \S+ \S+` changes that$/m;

/** A file that others can read: what a command says of it, and that it says nothing once they cannot. */
async function mustWarn(path: string, run: () => Promise<string>): Promise<void> {
  Deno.chmodSync(path, 0o644);
  assert.match(await run(), WARNING, path);
  Deno.chmodSync(path, 0o600);
  assert.doesNotMatch(await run(), /other users/, path);
}

Deno.test("each file with something private in it: a warning if others can read it", async () => {
  using box = new Box();
  // Others can pass it, unlike a home folder that the system has made.
  Deno.chmodSync(box.home, 0o755);
  const file = (name: string, content: string) => {
    Deno.writeTextFileSync(join(box.home, name), content, { mode: 0o600 });
    return join(box.home, name);
  };
  const ran = async (...args: string[]) => {
    const { code, stderr } = await box.run(args);
    assert.equal(code, 0, stderr);
    return stderr;
  };
  const value = file("value", randomBytes(64).toString("base64"));
  await mustWarn(value, () => ran("import", "--file", value));
  const identity = join(box.home, "identity");
  await box.exec("age-keygen", ["-o", identity]);
  const recipient = (await box.exec("age-keygen", ["-y", identity])).stdout.trim();
  const copy = join(box.home, "copy");
  await ran("backup", copy, "--with-secret", "--recipient", recipient);
  await mustWarn(identity, () => ran("restore", copy, "--force", "--identity-file", identity));
  // A dry run reads both files and tells no one.
  const key = file("key", Buffer.alloc(32, 7).toString("base64"));
  const urls = file("urls", "http://127.0.0.1:1/\n");
  const rotate = [
    "rotate",
    "--force",
    "--dry-run",
    "--notify-url-file",
    urls,
    "--notify-key-file",
    key,
  ];
  await mustWarn(key, () => ran(...rotate));
  await mustWarn(urls, () => ran(...rotate));
});

Deno.test("serve warns if others can read the key of its certificate", async () => {
  using box = new Box();
  using keys = new ForeignKeys();
  await box.run(["init", "--store", "database"]);
  await keys.make("ES256", "key.pem");
  const request = ["req", "-key", "key.pem", "-subj", "/CN=localhost", "-new", "-x509"];
  await keys.run("openssl", ...request, "-out", "cert.pem");
  const [cert, key] = [keys.path("cert.pem"), keys.path("key.pem")];
  Deno.chmodSync(dirname(key), 0o755);
  await mustWarn(key, async () => {
    await using serving = await Serving.start(box, ["--tls-cert", cert, "--tls-key", key], {});
    return serving.stderr;
  });
});

Deno.test("a warning if others can read the key or the password for etcd", async () => {
  using keys = new ForeignKeys();
  await keys.make("ES256", "key.pem");
  await keys.run("openssl", ..."req -key key.pem -subj /CN=a -new -x509 -out cert.pem".split(" "));
  const [cert, key, password] = ["cert.pem", "key.pem", "password"].map((name) => keys.path(name));
  Deno.chmodSync(dirname(key!), 0o755);
  Deno.writeTextFileSync(password!, "password");
  // Nothing listens there: it fails, after the files were read.
  using box = new Box({
    REKEY_ETCD_ENDPOINTS: "http://127.0.0.1:1",
    REKEY_ETCD_CERT: cert!,
    REKEY_ETCD_KEY: key!,
    REKEY_ETCD_USER: "rekey",
    REKEY_ETCD_PASSWORD_FILE: password!,
  });
  const run = async () => (await box.run(["init", "--store", "etcd"])).stderr;
  Deno.chmodSync(cert!, 0o644);
  for (const path of [key!, password!]) Deno.chmodSync(path, 0o600);
  for (const path of [key!, password!]) {
    await mustWarn(path, async () => {
      const stderr = await run();
      assert.ok(stderr.split("other users").length <= 2, stderr);
      return stderr;
    });
  }
});

Deno.test("a file that only a folder keeps others from is not called readable", async () => {
  using box = new Box();
  Deno.chmodSync(box.home, 0o755);
  const closed = join(box.home, "closed");
  Deno.mkdirSync(closed);
  const value = join(closed, "value");
  Deno.writeTextFileSync(value, randomBytes(64).toString("base64"));
  Deno.chmodSync(value, 0o644);
  const warning = async (path = value) => (await box.run(["import", "--file", path])).stderr;
  for (const mode of [0o700, 0o744]) {
    Deno.chmodSync(closed, mode);
    assert.match(
      await warning(),
      /^warning: only a folder keeps other users from reading \S+ \(mode 0644\); `chmod 600/m,
    );
  }
  // A group, everyone, or another name of the file.
  for (const mode of [0o710, 0o701]) {
    Deno.chmodSync(closed, mode);
    assert.match(await warning(), WARNING, String(mode));
  }
  Deno.chmodSync(closed, 0o700);
  Deno.linkSync(value, join(box.home, "-name"));
  assert.match(await warning(), WARNING);
  Deno.removeSync(value);
  assert.match(
    await warning("-name"),
    /can read -name \(mode 0644\); `chmod 600 \.\/-name` changes/,
  );
});

const EXPOSED =
  /other users could read \S+\.kek \(mode 0644\).*: `rekey kek rotate` makes a new KEK$/m;

Deno.test("a command that closes a key file which others could read says so once, and so does doctor --fix", async () => {
  using box = await initialised();
  const kek = [...box.files().keys()].find((path) => path.endsWith(".kek"))!;
  const token = await box.token();
  const commands = [["status"], ["verify", token], ["issue", "--sub", "a"], ["doctor", "--fix"]];
  const passable = (mode: number) => {
    for (const path of [".config", ".config/rekey"]) Deno.chmodSync(join(box.home, path), mode);
  };
  for (const command of commands) {
    for (const [mode, isSaid] of [[0o755, true], [0o700, false]] as const) {
      Deno.chmodSync(box.home, 0o755);
      passable(mode);
      Deno.chmodSync(kek, 0o644);
      const { code, stderr } = await box.run(command);
      assert.deepEqual([code, EXPOSED.test(stderr)], [0, isSaid], `${command}: ${stderr}`);
      assert.equal(Deno.statSync(kek).mode! & 0o777, 0o600);
      const again = await box.run(command);
      assert.deepEqual([again.code, again.stderr.includes("other users")], [0, false]);
    }
  }
});
