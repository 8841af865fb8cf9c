import { FOR_OTHERS, RUNS_FOR_OTHERS, unless } from "../support/faults/faults.ts";
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { addon, packedAddon } from "../support/executables/addon.ts";
import { cut } from "../../scripts/denort/cut.ts";
import { Box, IS_COMPILED, REKEY } from "../support/process/box.ts";
import { run, start } from "../../scripts/program.ts";

const FROM_SOURCES = unless(IS_COMPILED, "the compiled executable");

/** Runs a copy of the binary as an ordinary user without a name or a home, with nothing in its environment. */
async function asStranger(folder: string, args: string[]) {
  const flags = ["--reuid=54321", "--regid=54321", "--clear-groups", "--", join(folder, "rekey")];
  const all = [...flags, "--data-dir", join(folder, "data"), ...args];
  return await run("/usr/bin/setpriv", all, { cwd: folder, clearEnv: true });
}

Deno.test({
  name: "an ordinary user runs it in a folder without sources, with an empty environment",
  ignore: unless(RUNS_FOR_OTHERS, FOR_OTHERS),
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
    Deno.copyFileSync(REKEY, join(folder, "rekey"));
    Deno.chmodSync(folder, 0o755);
    const kek = join(folder, "kek");
    Deno.writeTextFileSync(kek, "ab".repeat(32), { mode: 0o600 });
    Deno.mkdirSync(join(folder, "data"));
    for (const path of [kek, join(folder, "data")]) Deno.chownSync(path, 54321, 54321);

    const without = await asStranger(folder, ["init", "--json"]);
    assert.equal(without.code, 4, "a key file beside the database would protect nothing");
    assert.equal(JSON.parse(without.stderr).error.code, "kek_missing");
    for (const args of [["init"], ["status"], ["issue", "--sub", "a"], ["rotate", "--force"]]) {
      const ended = await asStranger(folder, ["--kek-file", kek, ...args]);
      assert.equal(ended.code, 0, ended.stderr);
    }
    Deno.removeSync(folder, { recursive: true });
  },
});

Deno.test("no command leaves or opens a file in the shared temporary folder", async () => {
  using box = new Box();
  const trace = join(box.home, "trace");
  for (const args of [["init"], ["issue", "--sub", "a"], ["rotate", "--force"], ["status"]]) {
    const calls = [
      "-f",
      "-qq",
      "-s",
      "4096",
      "-e",
      "trace=%file,connect",
      "-o",
      trace,
      REKEY,
      ...args,
    ];
    const ended = await box.exec("/usr/bin/strace", calls, { env: { TMPDIR: "/tmp/elsewhere" } });
    assert.equal(ended.code, 0, ended.stderr);
    const traced = Deno.readTextFileSync(trace);
    const paths = [...traced.matchAll(/"(\/[^"]*)"/g)].map(([, path]) => path!);
    assert.ok(paths.some((path) => path.endsWith("agiworkforce.db")), "the trace must show files");
    const shared = paths.filter((path) =>
      /^\/(tmp|var\/tmp|dev\/shm)\//.test(path) && !path.startsWith(box.home) &&
      !path.startsWith(dirname(REKEY)) && !REKEY.startsWith(path)
    );
    assert.deepEqual(shared, []);
  }
});

Deno.test("files and folders belong to the user alone, whatever the umask", async () => {
  using box = new Box();
  const shell = `umask 000; "${REKEY}" init && "${REKEY}" rotate --force`;
  assert.equal((await box.exec("/bin/sh", ["-c", shell])).code, 0);
  const files = [...box.files().keys()];
  assert.ok(files.length >= 3);
  for (const path of files) {
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600, path);
    assert.equal(Deno.statSync(join(path, "..")).mode! & 0o777, 0o700, path);
  }
});

Deno.test("modes that someone widened are corrected", async () => {
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

Deno.test("a full stdout is reported as an error", async () => {
  using box = new Box();
  await box.run(["init"]);
  const { code, stderr } = await box.exec("/bin/sh", ["-c", `"${REKEY}" status > /dev/full`]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: Cannot write the output/);
});

Deno.test("a stderr that takes nothing changes no exit status", async () => {
  using box = new Box();
  for (
    const [command, status] of [
      ["init", 0],
      ["rotate --force --grace 1h", 0],
      ["rotate --force --after 'echo told'", 0],
      ["rotate", 2],
      ["verify x", 3],
      ["no-such-command", 2],
    ] as const
  ) {
    const line = ["-c", `"${REKEY}" ${command} 2>/dev/full`];
    assert.equal((await box.exec("/bin/sh", line)).code, status, command);
  }
  const child = start(REKEY, ["rotate"], {
    ...box.surroundings(),
    stdout: "null",
    stderr: "piped",
  });
  await child.stderr.cancel();
  assert.equal((await child.status).code, 2, "a closed pipe");
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

Deno.test("the binary holds the keyring addon, once and packed, and none of our comments", {
  ignore: FROM_SOURCES,
}, () => {
  const binary = Buffer.from(Deno.readFileSync(REKEY));
  const packed = Buffer.from(packedAddon()).subarray(0, 4_096);
  const first = binary.indexOf(packed);
  assert.ok(first > 0 && binary.indexOf(packed, first + 1) < 0);
  assert.ok(binary.indexOf(Buffer.from(addon()).subarray(0, 4_096)) < 0);
  const source = Deno.readTextFileSync(new URL("../../src/core/secret.ts", import.meta.url));
  const [comment] = /A signing secret: an HMAC [^\n]*/.exec(source)!;
  assert.ok(!binary.includes(comment));
});

Deno.test("the binary is at most 6 MB larger than the runtime in it", {
  ignore: FROM_SOURCES,
}, () => {
  const binary = Deno.readFileSync(REKEY);
  const own = binary.length - cut(binary).denort.length;
  assert.ok(own > 1_300_000, "the packed addon alone is larger than that");
  assert.ok(own <= 6_000_000, `${own} bytes`);
});
