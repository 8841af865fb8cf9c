import assert from "node:assert/strict";
import { join } from "node:path";
import { permissionFlags, PERMISSIONS } from "../../scripts/permissions.ts";
import { must } from "../../scripts/program.ts";

Deno.test("a runtime that guards the umask gets a permission for it, others the list that names what is used", () => {
  const named = PERMISSIONS.map(([flag]) => flag);
  for (const deno of ["2.7.11", "2.9.3"]) assert.deepEqual(permissionFlags(deno), named);
  for (const deno of ["2.9.4", "2.9.6", "2.10.0", "3.0.0"]) {
    const flags = permissionFlags(deno);
    assert.ok(
      flags.includes("--allow-sys") && !flags.some((flag) => flag.startsWith("--allow-sys=")),
    );
    assert.deepEqual(
      flags.toSorted(),
      named.map((flag) => flag.replace(/-sys=.*/, "-sys")).toSorted(),
    );
  }
});

Deno.test("the flags let this Deno set its umask and use a Unix socket", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const program = `Deno.umask(0o077);
    const address = { transport: "unix", path: Deno.args[0] };
    const socket = Deno.listen(address);
    (await Deno.connect(address)).close();
    socket.close();`;
  const script = join(folder, "program.js");
  Deno.writeTextFileSync(script, program);
  const flags = ["--quiet", "--no-prompt", "--no-config", ...permissionFlags(Deno.version.deno)];
  const args = ["run", ...flags, script, join(folder, "socket")];
  await must(Deno.execPath(), args);
  Deno.removeSync(folder, { recursive: true });
});
