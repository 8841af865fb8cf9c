import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, REKEY } from "../support/box.ts";

/** Runs a copy of the binary under another user id in a folder without sources. */
async function asNobody(folder: string, args: string[], env: Record<string, string>) {
  const flags = ["--reuid=65534", "--regid=65534", "--clear-groups", "--", join(folder, "rekey")];
  const { code, stdout, stderr } = await new Deno.Command("/usr/bin/setpriv", {
    args: [...flags, ...args],
    cwd: folder,
    clearEnv: true,
    env,
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test({
  name: "an ordinary user runs it in a folder without sources, with an empty environment",
  ignore: Deno.uid() !== 0,
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
    Deno.copyFileSync(REKEY, join(folder, "rekey"));
    Deno.chmodSync(folder, 0o755);
    const data = join(folder, "data");
    Deno.mkdirSync(data);
    Deno.chownSync(data, 65534, 65534);
    const init = await asNobody(folder, ["--data-dir", data, "init", "--json"], {});
    // nobody has no home folder, so the key file goes where the data is named.
    assert.equal(init.code, 4, "the home folder of nobody cannot be written");
    assert.deepEqual(
      [...Deno.readDirSync(data)].map(({ name }) => name).filter((n) => !/\.db/.test(n)),
      [],
    );
    const env = { XDG_CONFIG_HOME: join(data, "config"), XDG_CACHE_HOME: join(data, "cache") };
    for (const args of [["init"], ["status"], ["issue", "--sub", "a"], ["rotate", "--force"]]) {
      const ended = await asNobody(folder, ["--data-dir", data, ...args], env);
      assert.equal(ended.code, 0, ended.stderr);
    }
    Deno.removeSync(folder, { recursive: true });
  },
});

Deno.test("with nothing in the environment it finds its home in the user database", async () => {
  using box = new Box();
  const { code, stdout } = await new Deno.Command(REKEY, {
    args: ["--version"],
    clearEnv: true,
    stdin: "null",
  })
    .output();
  assert.deepEqual([code, new TextDecoder().decode(stdout)], [0, "0.1.0\n"]);
  assert.deepEqual([...box.files().keys()], []);
});

Deno.test("no command leaves or opens a file in the shared temporary folder", async () => {
  using box = new Box();
  const trace = join(box.home, "trace");
  for (const args of [["init"], ["issue", "--sub", "a"], ["rotate", "--force"], ["status"]]) {
    const calls = ["-f", "-qq", "-e", "trace=%file,connect", "-o", trace, REKEY, ...args];
    const ended = await box.exec("/usr/bin/strace", calls, { env: { TMPDIR: "/tmp/elsewhere" } });
    assert.equal(ended.code, 0, ended.stderr);
    const traced = Deno.readTextFileSync(trace);
    const paths = [...traced.matchAll(/"(\/[^"]*)"/g)].map(([, path]) => path!);
    assert.ok(paths.some((path) => path.endsWith("agiworkforce.db")), "the trace must show files");
    const shared = paths.filter((path) =>
      /^\/(tmp|var\/tmp|dev\/shm)\//.test(path) && !path.startsWith(box.home) &&
      path !== REKEY
    );
    assert.deepEqual(shared, []);
  }
});

Deno.test("files and folders are the user's alone, whatever the umask", async () => {
  using box = new Box();
  const shell = `umask 000; ${REKEY} init && ${REKEY} rotate --force`;
  assert.equal((await box.exec("/bin/sh", ["-c", shell])).code, 0);
  const files = [...box.files().keys()];
  assert.ok(files.length >= 3);
  for (const path of files) {
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600, path);
    assert.equal(Deno.statSync(join(path, "..")).mode! & 0o777, 0o700, path);
  }
});

Deno.test("modes that somebody widened are put right", async () => {
  using box = new Box();
  await box.run(["init"]);
  Deno.chmodSync(box.database, 0o666);
  Deno.chmodSync(join(box.database, ".."), 0o777);
  await box.run(["status"]);
  assert.equal(Deno.statSync(box.database).mode! & 0o777, 0o600);
  assert.equal(Deno.statSync(join(box.database, "..")).mode! & 0o777, 0o700);
});

Deno.test("a folder that cannot be used: exit 4 and a plain sentence", async () => {
  using box = new Box();
  const file = join(box.home, "file");
  Deno.writeTextFileSync(file, "");
  const link = join(box.home, "link");
  Deno.symlinkSync("/nonexistent/x", link);
  for (const folder of [file, join(file, "below"), link, "/proc/nowhere"]) {
    const { code, stdout, stderr } = await box.run(["init", "--data-dir", folder]);
    assert.equal(code, 4, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: Cannot use .*\nhint: .*\n$/);
  }
});

Deno.test("a full stdout is an error, not silence", async () => {
  using box = new Box();
  await box.run(["init"]);
  const { code, stderr } = await box.exec("/bin/sh", ["-c", `${REKEY} status > /dev/full`]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: Cannot write the output/);
});

Deno.test("a folder that the operator names keeps its mode, and must not be writable by others", async () => {
  using box = new Box();
  const folder = join(box.home, "named");
  Deno.mkdirSync(folder);
  for (const [mode, code] of [[0o755, 0], [0o2755, 0], [0o777, 4], [0o1777, 4]] as const) {
    Deno.chmodSync(folder, mode);
    assert.equal((await box.run(["init", "--data-dir", folder])).code, code);
    assert.equal(Deno.statSync(folder).mode! & 0o7777, mode);
  }
  assert.equal((await box.run(["init", "--data-dir", ""])).code, 2);
});

Deno.test("the binary holds the addon once, and no source of ours with comments", () => {
  const binary = Buffer.from(Deno.readFileSync(REKEY));
  assert.ok(!binary.includes("The part of a database that the audit log needs"));
});
