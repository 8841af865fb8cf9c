import assert from "node:assert/strict";
import { join } from "node:path";
import { appendAddon } from "../../scripts/appended_addon.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** As the runtime's executables end on Linux: what is embedded, a magic number, a hash, and the length of all that. */
function embedding(text: string): Uint8Array {
  const content = bytes(text);
  const all = new Uint8Array(content.length + 16);
  all.set(content);
  const trailer = new DataView(all.buffer, content.length);
  trailer.setUint32(0, 0x501e, true);
  trailer.setBigUint64(8, BigInt(all.length), true);
  return all;
}

Deno.test("a file is put in front of what the runtime reads, and nowhere where that is not found", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const [program, addon] = [join(folder, "program"), join(folder, "addon")];
  Deno.writeFileSync(addon, bytes("the addon"));
  const end = embedding("d3n0l4nd, and what is embedded");
  Deno.writeFileSync(program, new Uint8Array([...bytes("the runtime"), ...end]));
  assert.ok(await appendAddon(program, addon));
  const length = [9, 0, 0, 0, 0, 0, 0, 0];
  const expected = [...bytes("the runtime"), ...bytes("the addon"), ...length, ...end];
  assert.deepEqual([...Deno.readFileSync(program)], expected);
  for (const other of [embedding("something else"), bytes("no executable at all of that kind")]) {
    Deno.writeFileSync(program, other);
    assert.ok(!await appendAddon(program, addon));
    assert.deepEqual(Deno.readFileSync(program), other);
  }
  Deno.removeSync(folder, { recursive: true });
});
