import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { manualPages } from "../../scripts/package/manual.ts";
import { makeProgram } from "../../src/cli/program.ts";
import { Box, REKEY, temporary } from "../support/process/box.ts";
import { freshDebian } from "../support/executables/fresh_debian.ts";
import { installed, unless } from "../support/faults/faults.ts";
import { must } from "../../scripts/program.ts";

const MAIN = join(import.meta.dirname!, "../../scripts/package/main.ts");

// Compressing a program of a hundred megabytes takes longer than all that is tested with it.
const folder = temporary();
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
let made: Promise<Packages> | undefined;

/** Paths of the packages of the binary under test, which are made once. */
interface Packages {
  readonly archive: string;
  readonly debian: string;
}

function packages(): Promise<Packages> {
  return made ??= makePackages();
}

async function makePackages(): Promise<Packages> {
  const args = ["run", "--quiet", "--allow-all", MAIN, "--quick", REKEY, folder];
  // The sources' own settings and cache are those of whoever runs the tests.
  const [archive, debian] = (await must(Deno.execPath(), args)).trim().split("\n");
  return { archive: join(folder, archive!), debian: join(folder, debian!) };
}

Deno.test({
  name: "manual pages: mandoc finds nothing to say, and every command and flag is in them",
  ignore: unless(installed("mandoc"), "mandoc"),
  async fn() {
    using box = new Box();
    const pages = await manualPages("1.2.3", "2026-11-23");
    const texts = new Map<string, string>();
    for (const [name, page] of pages) {
      const path = join(box.home, name);
      Deno.writeTextFileSync(path, page);
      const lint = await box.exec("/usr/bin/mandoc", ["-T", "lint", "-W", "warning", path]);
      assert.deepEqual([lint.code, lint.stdout], [0, ""]);
      const { stdout } = await box.exec("/usr/bin/mandoc", ["-T", "ascii", path]);
      // deno-lint-ignore no-control-regex
      texts.set(name, stdout.replace(/.\x08/g, "").replace(/\s+/g, " "));
    }
    const program = await makeProgram("", () => Promise.resolve());
    let flags = 0;
    for (const command of program.commands) {
      const text = texts.get(`rekey-${command.name()}.1`);
      if (["keyring-helper", "complete"].includes(command.name())) assert.equal(text, undefined);
      else {
        for (const { options } of [command, ...command.commands]) {
          for (const option of options) {
            assert.ok(text?.includes(option.flags), `${command.name()} ${option.flags}`);
            flags++;
          }
        }
      }
    }
    assert.ok(flags > 60, String(flags));
    assert.match(texts.get("rekey.1")!, /rekey-rotate\(1\).*rekey-storage\(7\)/);
  },
});

Deno.test({
  name: "the archive has a binary that runs, manual pages, completions and units",
  async fn() {
    using box = new Box();
    const { archive } = await packages();
    const { code, stderr } = await box.exec("/usr/bin/tar", ["-xzf", archive]);
    assert.equal(code, 0, stderr);
    const [{ name }] = [...Deno.readDirSync(box.home)].filter(({ name }) =>
      /^rekey-/.test(name)
    ) as [
      Deno.DirEntry,
    ];
    const folder = join(box.home, name);
    assert.equal((await box.exec(join(folder, "rekey"), ["--version"])).code, 0);
    for (
      const file of ["man/rekey.1", "completions/_rekey", "README.md", "LICENSE", "LICENSES.txt"]
    ) {
      assert.ok(Deno.statSync(join(folder, file)).size > 0, file);
    }
    const units = [...Deno.readDirSync(join(folder, "systemd/user"))].map(({ name }) => name)
      .sort();
    const expected = ["-failed@.service", ".service", ".timer"]
      .map((end) => `rekey-rotate-agiworkforce${end}`);
    const watch = "rekey-deliver-agiworkforce.service";
    assert.deepEqual(units, [watch, ...expected, "rekey-serve.service"]);
  },
});

Deno.test({
  name: "every relative link of README and docs leads to a file of the package",
  ignore: unless(installed("dpkg-deb"), "dpkg-deb"),
  async fn() {
    using box = new Box();
    const { archive, debian } = await packages();
    for (const folder of ["tar", "deb"]) Deno.mkdirSync(join(box.home, folder));
    const unpack = [
      ["/usr/bin/tar", "-xzf", archive, "--strip-components=1", "-C", join(box.home, "tar")],
      ["/usr/bin/dpkg-deb", "-x", debian, join(box.home, "deb")],
    ];
    for (const [program, ...args] of unpack) {
      const { code, stderr } = await box.exec(program!, args);
      assert.equal(code, 0, stderr);
    }
    for (const folder of ["tar", "deb/usr/share/doc/rekey"]) {
      let links = 0;
      for (const path of box.files(join(box.home, folder)).keys()) {
        if (!path.endsWith(".md")) continue;
        for (const target of relativeLinks(Deno.readTextFileSync(path))) {
          assert.ok(Deno.statSync(join(dirname(path), target)).isFile, `${path}: ${target}`);
          links++;
        }
      }
      assert.ok(links > 40, `${folder}: ${links}`);
    }
  },
});

function relativeLinks(text: string): string[] {
  return [...text.matchAll(/(?:\]\(|src(?:set)?="|href=")([^)"#\s]+)/g)].map(([, target]) =>
    target!
  )
    .filter((target) => !/^[a-z]+:/.test(target));
}

const ROOT = Deno.uid() === 0;

Deno.test({
  name: "the Debian package installs in a fresh Debian, works there, and leaves nothing of its own",
  ignore: unless(ROOT && installed("dpkg-deb") && installed("mmdebstrap"), "root and mmdebstrap"),
  async fn() {
    using box = new Box();
    const { debian } = await packages();
    const root = join(box.home, "debian");
    // Without what is not essential, as apt is not: the package needs nothing else.
    await freshDebian(root);
    Deno.copyFileSync(debian, join(root, "rekey.deb"));
    const inside = (line: string) =>
      box.exec("/usr/bin/unshare", [
        ...["--mount", "--pid", "--fork", "/bin/sh", "-c"],
        `mount -t proc none "$1/proc" && exec /usr/sbin/chroot "$1" /bin/sh -c "$2"`,
        ...["sh", root, line],
      ], {
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", REKEY_STORE: "database" },
      });
    const before = await inside("find / -xdev -path /proc -prune -o -print | sort");
    const steps = [
      "dpkg -i /rekey.deb",
      "rekey init",
      "rekey doctor",
      "rekey rotate --force --reason drill",
      "rekey issue --sub operator --quiet | rekey verify -",
      "test -e /usr/share/man/man1/rekey.1.gz || test -e /etc/dpkg/dpkg.cfg.d/excludes",
      "dpkg --verify rekey",
      "rekey destroy --force",
      "dpkg --purge rekey",
    ];
    for (const step of steps) {
      const { code, stdout, stderr } = await inside(step);
      assert.equal(code, 0, `${step}: ${stdout}${stderr}`);
    }
    const after = await inside("find / -xdev -path /proc -prune -o -print | sort");
    const left = after.stdout.split("\n").filter((path) =>
      !before.stdout.split("\n").includes(path)
    );
    // What is the user's, and dpkg's own notes.
    assert.deepEqual(left.filter((path) => !/^\/(root|var\/lib\/dpkg|var\/log)\//.test(path)), []);
  },
});
