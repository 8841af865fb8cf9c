import assert from "node:assert/strict";
import { join } from "node:path";
import { appendFiles } from "../../scripts/appended_files.ts";
import { appendedFile, REPLACED } from "../../src/boot/appended.ts";
import { isAsBuilt } from "../../src/doctor/checks/executable.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined) => content && new TextDecoder().decode(content);

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

Deno.test("files are put in front of what the runtime reads, and nowhere where that is not found", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const [program, addon, code] = ["program", "addon", "late.code"].map((name) =>
    join(folder, name)
  );
  Deno.writeFileSync(addon!, bytes("the addon"));
  Deno.writeFileSync(code!, bytes("code"));
  const end = embedding("d3n0l4nd, and what is embedded");
  Deno.writeFileSync(program!, new Uint8Array([...bytes("the runtime"), ...end]));
  assert.ok(await appendFiles(program!, [addon!, code!]));
  const file = Deno.readFileSync(program!);
  assert.match(text(file)!, /^the runtimethe addoncode\{/);
  assert.deepEqual(file.subarray(file.length - end.length), end);
  assert.ok(isAsBuilt(program!));
  for (let at = "the runtime".length; at < file.length; at++) {
    Deno.writeFileSync(program!, file.map((byte, n) => n === at ? byte ^ 1 : byte));
    const [isBefore, isBehind] = [at < text(file)!.indexOf("{"), at >= file.length - end.length];
    // Of the index and lengths some bits leave nothing that can be read.
    if (!isBefore && !isBehind || at >= file.length - 8) assert.ok(!isAsBuilt(program!));
    else assert.equal(isAsBuilt(program!), false, `byte ${at}`);
  }
  Deno.writeFileSync(program!, file);
  assert.equal(text(appendedFile("addon", program)), "the addon");
  assert.equal(text(appendedFile("late.code", program)), "code");
  assert.equal(appendedFile("other", program), undefined);
  for (const other of [embedding("something else"), bytes("no executable at all of that kind")]) {
    Deno.writeFileSync(program!, other);
    assert.ok(!await appendFiles(program!, [addon!]));
    assert.deepEqual(Deno.readFileSync(program!), other);
    assert.throws(() => appendedFile("addon", program), { name: REPLACED });
  }
  Deno.removeSync(program!);
  assert.throws(() => appendedFile("addon", program), { name: REPLACED });
  Deno.removeSync(folder, { recursive: true });
});
