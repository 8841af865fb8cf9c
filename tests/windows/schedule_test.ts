import assert from "node:assert/strict";
import { join } from "node:path";
import { INSTALLED } from "../support/windows/box.ts";
import { onWindows } from "../support/windows/tests.ts";

onWindows(
  "schtasks registers the task that cmd has put into a file, and deletes it",
  async (box) => {
    // Windows' own folder, where tasks are, is the same for all machines.
    const app = `app${Deno.pid}`;
    const name = `rekey-rotate-${app}`;
    const script = `@"${INSTALLED}" schedule windows --app ${app} --every %1 > rotate.xml\r\n`;
    Deno.writeTextFileSync(join(box.home, "make.cmd"), script);
    const schtasks = async (...args: string[]) => (await box.exec("schtasks", args)).code;
    for (const every of ["30d", "6h"]) {
      const { code, stderr } = await box.exec("cmd", ["/d", "/c", "make.cmd", every]);
      assert.equal(code, 0, stderr);
      assert.ok(stderr.includes(`schtasks /Create /TN ${name} /XML ${name}.xml`), stderr);
      assert.equal(await schtasks("/Create", "/TN", name, "/XML", "rotate.xml", "/F"), 0);
    }
    assert.equal(await schtasks("/Delete", "/TN", name, "/F"), 0);
    assert.equal(await schtasks("/Delete", "/TN", name, "/F"), 1);
    const cut = (await Deno.readTextFile(join(box.home, "rotate.xml"))).replace("</Actions>", "");
    Deno.writeTextFileSync(join(box.home, "cut.xml"), cut);
    assert.equal(await schtasks("/Create", "/TN", name, "/XML", "cut.xml"), 1);
  },
  ["database"],
);

onWindows(
  "with deliveries schtasks registers a second task, from a file of its own",
  async (box) => {
    const app = `app${Deno.pid}d`;
    await box.json("init", "--app", app);
    const target = ["--format", "text", "--path", box.path("key")];
    const added = await box.run(["deliver", "add", "api", ...target, "--app", app]);
    assert.equal(added.code, 0, added.stderr);
    const { files } = await box.json("schedule", "windows", "--app", app);
    const names = [`rekey-rotate-${app}`, `rekey-deliver-${app}`];
    assert.deepEqual(
      files.map(({ path }: { path: string }) => path),
      names.map((name) => `${name}.xml`),
    );
    assert.match(
      files[1].content,
      /<Arguments>deliver sync --watch --app app\d+d [^<]*<\/Arguments>/,
    );
    for (const { path, content } of files) Deno.writeTextFileSync(join(box.home, path), content);
    for (const name of names) {
      const made = await box.exec("schtasks", ["/Create", "/TN", name, "/XML", `${name}.xml`]);
      assert.equal(made.code, 0, made.stdout + made.stderr);
    }
    for (const name of names) {
      assert.equal((await box.exec("schtasks", ["/Delete", "/TN", name, "/F"])).code, 0);
    }
  },
  ["database"],
);
