import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { Box, REKEY } from "../support/process/box.ts";
import { installed, unless } from "../support/faults/faults.ts";
import {
  DASH,
  HERE,
  install,
  INSTALLER,
  names,
  PATH,
  prepared,
  SHELLS,
} from "../support/executables/installing.ts";
import { served, VERSION } from "../support/executables/releases.ts";
import { run, start } from "../../scripts/program.ts";

for (const shell of SHELLS) {
  Deno.test({
    name: `install.sh installs from a folder and an address, by ${shell.join(" ")}`,
    ignore: unless(existsSync(shell[0]!), shell[0]!),
    async fn() {
      const { box, from, to, files } = prepared();
      using _ = box;
      const server = served(files);
      // Settings of the user's own could allow anything, and do nothing.
      Deno.writeTextFileSync(join(box.home, ".curlrc"), `dump-header = "${box.home}/dumped"\n`);
      for (const place of [from, `${from}/`, `http://127.0.0.1:${server.addr.port}`]) {
        const { code, stdout, stderr } = await install(box, ["--from", place, "--to", to], {
          shell,
        });
        assert.equal(code, 0, stderr);
        assert.equal(stdout.split("\n")[0], `Installed rekey ${VERSION} as ${to}/rekey`);
        assert.match(stdout, /^Add .*bin to PATH[^]*\nNext: rekey init/m);
        assert.deepEqual(names(to), ["rekey"]);
        assert.match(Deno.readTextFileSync(join(to, "rekey")), new RegExp(`# ${HERE}\n`));
        assert.equal(Deno.statSync(join(to, "rekey")).mode! & 0o777, 0o755);
        Deno.removeSync(join(to, "rekey"));
      }
      assert.ok(!existsSync(join(box.home, "dumped")));
      await server.shutdown();
    },
  });
}

Deno.test("install.sh installs the binary under test, which then works", async () => {
  using box = new Box();
  const [from, to] = [join(box.home, "release"), join(box.home, "new/bin")];
  Deno.mkdirSync(from);
  const name = `rekey-${config.version}-${HERE}`;
  Deno.copyFileSync(REKEY, join(from, name));
  const made = await box.exec("/bin/sh", [
    "-c",
    `cd "$1" && sha256sum ${name} >SHA256SUMS`,
    "sh",
    from,
  ]);
  assert.equal(made.code, 0);
  const { code, stdout, stderr } = await install(box, ["--from", from, "--to", to]);
  assert.equal(code, 0, stderr);
  assert.ok(stdout.startsWith(`Installed rekey ${config.version} as ${to}/rekey\n`), stdout);
  assert.equal((await box.exec(join(to, "rekey"), ["init", "--store", "database"])).code, 0);
});

Deno.test("install.sh reads SHA256SUMS however it was written", async () => {
  const { box, from, to, files } = prepared();
  using _ = box;
  const list = files.get("SHA256SUMS")!;
  const spellings: [string, string][] = [
    ["with Windows' line ends", list.replaceAll("\n", "\r\n")],
    ["of sha256sum --binary", list.replaceAll("  ", " *")],
    ["in capitals, as of Get-FileHash", list.replace(/^\w+/gm, (hash) => hash.toUpperCase())],
    ["without a last line end", list.trimEnd()],
  ];
  for (const [what, text] of spellings) {
    Deno.writeTextFileSync(join(from, "SHA256SUMS"), text);
    const { code, stderr } = await install(box, ["--from", from, "--to", to]);
    assert.equal(code, 0, `${what}: ${stderr}`);
    assert.deepEqual(names(to), ["rekey"]);
    Deno.removeSync(join(to, "rekey"));
  }
});

Deno.test("install.sh takes folders and addresses as they are written", async () => {
  const { box, from, to, files } = prepared();
  using _ = box;
  const sh = (script: string, ...args: string[]) =>
    box.exec(DASH[0]!, ["-c", script, INSTALLER, ...args], { env: { PATH } });
  const asOption = join(box.home, "-x");
  Deno.renameSync(from, asOption);
  Deno.mkdirSync(join(box.home, "elsewhere/bin"), { recursive: true });
  const inHome = await sh('CDPATH=$HOME/elsewhere sh "$0" --from -x --to bin');
  assert.equal(inHome.code, 0, inHome.stderr);
  assert.deepEqual([names(to), names(join(box.home, "elsewhere/bin"))], [["rekey"], []]);
  Deno.removeSync(join(to, "rekey"));

  const server = served(new Map([...files].map(([name, text]) => [`[1-2]/${name}`, text])));
  const from12 = `http://127.0.0.1:${server.addr.port}/[1-2]`;
  const { code, stderr } = await install(box, ["--from", from12, "--to", to]);
  await server.shutdown();
  assert.equal(code, 0, stderr);

  const unknown = await install(box, ["--from", "/", "--to", to]);
  assert.match(unknown.stderr, /^Failed: there is no SHA256SUMS in \/\n/);
});

Deno.test("install.sh leaves nothing unfinished when its output is no longer read", async () => {
  const { box, from, to } = prepared();
  using _ = box;
  Deno.removeSync(join(from, "SHA256SUMS"));
  const script = '{ sleep 0.3; sh "$0" "$@" 2>&1; } | exec true';
  await box.exec(DASH[0]!, ["-c", script, INSTALLER, "--from", from, "--to", to], {
    env: { PATH },
  });
  assert.deepEqual(names(to), []);
});

Deno.test("install.sh needs no curl where there is GNU wget, and no sha256sum where there is openssl", async () => {
  const { box, to, files } = prepared();
  using _ = box;
  const only = join(box.home, "only");
  Deno.mkdirSync(only);
  const needed = "sh uname id mktemp mkdir cp mv rm rmdir chmod cut awk grep tr wget openssl";
  for (const program of needed.split(" ")) {
    const found = PATH.split(":").map((folder) => join(folder, program)).find(existsSync);
    assert.ok(found, program);
    Deno.symlinkSync(found, join(only, program));
  }
  const server = served(files);
  const from = `http://127.0.0.1:${server.addr.port}`;
  const { code, stderr } = await box.exec(DASH[0]!, [INSTALLER, "--from", from, "--to", to], {
    env: { PATH: only, HOME: box.home },
  });
  await server.shutdown();
  assert.equal(code, 0, stderr);
  assert.deepEqual(names(to), ["rekey"]);
});

Deno.test("install.sh replaces a binary that is running, which goes on", async () => {
  const { box, from, to } = prepared();
  using _ = box;
  // By another process: a program that a test beside this one starts would hold a file open that is written here,
  // and the kernel does not run such a file (ETXTBSY).
  assert.equal((await box.exec("cp", ["/usr/bin/sleep", join(to, "rekey")])).code, 0);
  const running = start(join(to, "rekey"), ["60"]);
  try {
    const { code, stderr } = await install(box, ["--from", from, "--to", to]);
    assert.equal(code, 0, stderr);
    assert.match(Deno.readTextFileSync(join(to, "rekey")), /echo/);
  } finally {
    running.kill("SIGTERM");
  }
  assert.equal((await running.status).signal, "SIGTERM", "until now");
});

Deno.test("install.sh takes the file for the machine that uname names, and no other", async () => {
  const { box, from, to } = prepared();
  using _ = box;
  const bin = join(box.home, "fake");
  Deno.mkdirSync(bin);
  const cases: [string, string, RegExp][] = [
    ["Darwin", "arm64", /# darwin-arm64/],
    ["Darwin", "x86_64", /# darwin-x64/],
    ["Linux", "aarch64", /# linux-arm64/],
    ["Linux", "riscv64", /no rekey for processors of the kind riscv64/],
    ["MINGW64_NT-10.0", "x86_64", /On Windows unpack the \.zip/],
  ];
  for (const [system, machine, expected] of cases) {
    const script = `#!/bin/sh\ncase $1 in -s) echo ${system} ;; -m) echo ${machine} ;; esac\n`;
    Deno.writeTextFileSync(join(bin, "uname"), script, { mode: 0o755 });
    const { code, stderr } = await install(box, ["--from", from, "--to", to], { bin });
    const installed = code === 0 ? Deno.readTextFileSync(join(to, "rekey")) : stderr;
    assert.match(installed, expected);
    if (code === 0) Deno.removeSync(join(to, "rekey"));
    assert.deepEqual(names(to), []);
  }
});

Deno.test({
  name: "shellcheck finds nothing in install.sh",
  ignore: unless(installed("shellcheck"), "shellcheck"),
  async fn() {
    const { code, stdout } = await run("shellcheck", [INSTALLER]);
    assert.equal(code, 0, stdout);
  },
});
