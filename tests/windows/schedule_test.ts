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
