import assert from "node:assert/strict";
import { join } from "node:path";
import { type Box, REKEY } from "../support/process/box.ts";
import { FOR_OTHERS, RUNS_FOR_OTHERS, unless } from "../support/faults/faults.ts";
import { initialised } from "../support/process/initialised.ts";
import { Upstream } from "../support/proxy/proxies.ts";
import { nginxAs } from "../support/proxy/proxy_kinds.ts";
import { Serving } from "../support/http/serving.ts";

const AS_ROOT = unless(Deno.uid() === 0, "root");

/** A folder that other users can enter, for a socket. */
async function folderOf(box: Box): Promise<string> {
  await Deno.chmod(box.home, 0o711);
  const folder = join(box.home, "run");
  await Deno.mkdir(folder, { mode: 0o711 });
  await Deno.chmod(folder, 0o711);
  return folder;
}

async function group(box: Box, name: string): Promise<number> {
  return Number((await box.exec("getent", ["group", name])).stdout.split(":")[2]);
}

Deno.test(
  "each socket has the mode and the group that are asked for",
  { ignore: AS_ROOT },
  async () => {
    using box = await initialised();
    const folder = await folderOf(box);
    const paths = ["1.sock", "2.sock"].map((name) => join(folder, name));
    const wwwData = await group(box, "www-data");
    const cases: [string[], number, number][] = [
      [[], 0o600, Deno.gid()!],
      [["--unix-mode", "0660"], 0o660, Deno.gid()!],
      [["--unix-group", "www-data"], 0o660, wwwData],
      [["--unix-group", String(wwwData), "--unix-mode", "620"], 0o620, wwwData],
      [["--unix-group", "www-data", "--unix-mode", "0600"], 0o600, wwwData],
    ];
    for (const [args, mode, gid] of cases) {
      await using serving = await Serving.start(box, [
        ...paths.flatMap((path) => ["--unix", path]),
        ...args,
      ]);
      for (const path of paths) {
        const info = Deno.statSync(path);
        assert.deepEqual([info.mode! & 0o7777, info.gid], [mode, gid], args.join(" "));
      }
      assert.doesNotMatch(serving.stderr, /warning/);
      assert.equal((await serving.stop()).code, 0);
      assert.deepEqual([...Deno.readDirSync(folder)], []);
    }
  },
);

Deno.test("only the group of a shared socket can connect, and nginx as one of it", {
  ignore: AS_ROOT,
}, async () => {
  using box = await initialised();
  const path = join(await folderOf(box), "rekey.sock");
  await using _ = await Serving.start(box, [
    ...["--unix", path, "--unix-group", "www-data", "--host", "app.example.com"],
  ]);
  const curl = async (user: string) => {
    const { stdout } = await box.exec("setpriv", [
      ...[`--reuid=${user}`, `--regid=${user}`, "--clear-groups", "curl", "--silent"],
      ...["--output", "/dev/null", "--write-out", "%{http_code}"],
      ...["--unix-socket", path, "http://localhost/healthz"],
    ], { cwd: "/" });
    return stdout;
  };
  assert.equal(await curl("www-data"), "200");
  assert.equal(await curl("games"), "000");
  await using upstream = new Upstream();
  await using nginx = await nginxAs("www-data").start(box, {
    rekey: "",
    sockets: [path],
    upstream: upstream.address,
  });
  const headers: [string, string][] = [["Authorization", `Bearer ${await box.token()}`]];
  assert.equal((await nginx.ask("/", { headers })).status, 200, nginx.stderr);
  assert.equal((await nginx.ask("/")).status, 401, nginx.stderr);
});

Deno.test("a user cannot connect between the making of a shared socket and its sharing", {
  ignore: AS_ROOT,
}, async () => {
  using box = await initialised();
  const [path, trace] = [join(await folderOf(box), "rekey.sock"), join(box.home, "trace")];
  const calls = "trace=bind,chmod,fchmodat,chown,lchown,fchownat,umask";
  await using serving = await Serving.start(box, ["--unix", path, "--unix-group", "www-data"], {
    rekey: ["strace", "-D", "-f", "-e", calls, "-o", trace, REKEY],
  });
  assert.doesNotMatch(serving.stderr, /warning/);
  const lines = (await Deno.readTextFile(trace)).split("\n");
  const at = (pattern: RegExp) => lines.findIndex((line) => pattern.test(line));
  const [mask, bound, given, shared] = [
    /umask\(077\)/,
    /bind\(.*rekey\.sock/,
    /chown.*rekey/,
    /chmod.*0660/,
  ]
    .map(at);
  assert.ok(mask! >= 0 && mask! < bound! && bound! < given! && given! < shared!, lines.join("\n"));
});

Deno.test("what would let every user in, or no one, is refused before anything listens", async () => {
  using box = await initialised();
  const path = join(box.home, "rekey.sock");
  const cases: [string[], number, RegExp][] = [
    ...["0666", "0777", "0606", "0662", "2660", "0060", "0400", "rw", "660x"].map((mode) =>
      [["--unix", path, "--unix-mode", mode], 2, /Write 0600, 0620, 0640 or 0660/] as [
        string[],
        number,
        RegExp,
      ]
    ),
    [["--unix", path, "--unix-group", "no-such-group"], 2, /there is no group "no-such-group"/],
    [["--unix", path, "--unix-group", ""], 2, /--unix-group/],
    [["--unix-mode", "0660"], 2, /without --unix/],
    [["--unix-group", "www-data", "--listen", "127.0.0.1:0"], 2, /without --unix/],
  ];
  for (const [args, wanted, text] of cases) {
    const { code, stderr } = await box.run(["serve", ...args]);
    assert.equal(code, wanted, `${args}: ${stderr}`);
    assert.match(stderr, text);
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  }
  const open = join(box.home, "open");
  await Deno.mkdir(open);
  await Deno.chmod(open, 0o777);
  const args = ["serve", "--unix", join(open, "rekey.sock"), "--unix-mode", "0660"];
  const refused = await box.run(args);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /every user can write/);
  await Deno.chmod(open, 0o1777);
  assert.equal((await box.run(args)).code, 1);
});

Deno.test(
  "a user who is not in the group is told so, and leaves no socket; a closed folder is named",
  {
    ignore: unless(RUNS_FOR_OTHERS, FOR_OTHERS),
  },
  async () => {
    using box = await initialised();
    const folder = await folderOf(box);
    const path = join(folder, "rekey.sock");
    await Deno.chmod(folder, 0o700);
    {
      await using serving = await Serving.start(box, [
        ...["--unix", path, "--unix", `${path}2`, "--unix-group", "www-data"],
      ]);
      const warning = /warning: the group of the socket cannot enter/g;
      await serving.until(() => warning.test(serving.stderr));
      assert.equal((await serving.stop()).code, 0);
      assert.equal(serving.stderr.match(warning)?.length, 1, "once for one folder");
    }
    const everything = await box.exec("chown", ["-R", "games:games", box.home]);
    assert.equal(everything.code, 0);
    await Deno.remove(path).catch(() => {});
    const copy = join(box.home, "rekey");
    await Deno.copyFile(REKEY, copy);
    await Deno.chmod(copy, 0o755);
    const { code, stderr } = await box.exec("setpriv", [
      ...["--reuid=games", "--regid=games", "--clear-groups"],
      ...[copy, "serve", "--unix", path, "--unix-group", "www-data"],
    ]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /cannot be given to the group/);
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  },
);
