import assert from "node:assert/strict";
import { join } from "node:path";
import { embeddedBytes } from "../../scripts/denort/elf.ts";
import { countStarts, documentedStarts } from "../../scripts/starts.ts";
import { run } from "../../scripts/program.ts";
import { appendedFile } from "../../src/boot/appended.ts";
import { REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";

const PARTS = join(import.meta.dirname!, "../../dist/build");
const BOOT = new URL("../../src/boot/main.ts", import.meta.url).href;

// Bytes. V8 loads the code of all that each start evaluates, at about 30 instructions a byte: docs/performance.md.
const MOST = { "program.js": 243_000, "program.code": 449_000 };
const MOST_EMBEDDED = 700_000;

Deno.test("a start reads and evaluates no more of the program than it did", () => {
  const page = Deno.readTextFileSync(join(import.meta.dirname!, "../../docs/performance.md"));
  const limits = Object.values(MOST).map((most) => most.toLocaleString("en"));
  const said = `${limits[0]} bytes of source and ${limits[1]} of code at most`;
  assert.ok(page.replace(/\s+/g, " ").includes(said), `docs/performance.md does not say ${said}`);
  const sizes = new Map(
    [...Deno.readDirSync(PARTS)].map(({ name }) => [name, Deno.statSync(join(PARTS, name)).size]),
  );
  for (const [name, most] of Object.entries(MOST)) {
    const size = sizes.get(name)!;
    assert.ok(size <= most, `${name} has ${size} bytes: load on demand what few commands need`);
  }
  // What is appended is read only where it is needed: the addon, rare commands, and V8's code of each script.
  const embedded = embeddedBytes(Deno.readFileSync(REKEY))!;
  assert.ok(embedded <= MOST_EMBEDDED, `${embedded} bytes are embedded`);
});

// What a start of the program does until its command line is read, on a system that this one is not.
const START_ON = (os: string) => `
  Object.defineProperty(Deno, "build", { value: { ...Deno.build, os: "${os}" } });
  const { Scripts } = await import(${JSON.stringify(BOOT)});
  const loaded = [];
  const scripts = new Scripts(${JSON.stringify(PARTS)}, (name) => void loaded.push(name));
  scripts.require("program:main");
  console.log(JSON.stringify(loaded));
`;

Deno.test("each system's code is loaded on that system, and no other's on Linux", async () => {
  for (const os of ["linux", "windows", "darwin"]) {
    const args = ["eval", "--unstable-net", "--no-check", START_ON(os)];
    const loaded = JSON.parse((await run(Deno.execPath(), args)).stdout);
    assert.deepEqual(loaded, ["program.code", ...os === "linux" ? [] : ["elsewhere.code"]], os);
  }
});

Deno.test("a rotation reads V8's code of what it calls of the program, and other commands do not", async () => {
  using box = await initialised();
  const trace = join(box.home, "trace");
  const flags = ["-f", "-qq", "-e", "trace=read", "-e", "read=none", "-o", trace];
  const codes = { "program.rotate.code": ["rotate", "--force"], "program.code": ["status"] };
  for (const [name, args] of Object.entries(codes)) {
    assert.equal((await box.exec("/usr/bin/strace", [...flags, REKEY, ...args])).code, 0);
    const { length } = appendedFile(name, REKEY)!;
    assert.ok(Deno.readTextFileSync(trace).includes(`, ${length}) = ${length}\n`), name);
  }
});

// What a request thread of `serve` loads at its start.
const THREAD = `
  const { Scripts } = await import(${JSON.stringify(BOOT)});
  const loaded = [];
  const scripts = new Scripts(${JSON.stringify(PARTS)}, (name) => void loaded.push(name));
  scripts.require("program:main");
  const parts = Object.keys(scripts.require("request_thread"));
  scripts.require(parts.find((part) => part.startsWith("request_thread:request_thread")));
  console.log(JSON.stringify(loaded));
`;

Deno.test("a request thread loads neither the text of rare commands nor that of rotations", async () => {
  const args = ["eval", "--unstable-net", "--no-check", THREAD];
  const loaded = JSON.parse((await run(Deno.execPath(), args)).stdout);
  assert.deepEqual(loaded, ["program.code", "request_thread.code", "both.code"]);
});

// A change of another part must not touch the table each time.
const MORE_BYTES = 1.02;

Deno.test("a start evaluates, prepares and waits for the disk as docs/performance.md says", async () => {
  const documented = new Map(documentedStarts().map((start) => [start.command, start]));
  const why = "if that is needed, run `deno run -A scripts/starts.ts`";
  for (const { command, parts, bytes, statements, waits } of await countStarts()) {
    const most = documented.get(command)!;
    assert.deepEqual(
      { statements, waits },
      { statements: most.statements, waits: most.waits },
      why,
    );
    assert.ok(parts <= most.parts, `${command} evaluates ${parts} parts: ${why}`);
    assert.ok(bytes <= most.bytes * MORE_BYTES, `${command} evaluates ${bytes} bytes: ${why}`);
  }
});

// V8's code of the program, as it was read: what it was made of is of no more use.
const GIVEN_BACK = 500_000;

Deno.test("a command gives the memory back that only its start has used", async () => {
  using box = await initialised();
  const trace = join(box.home, "trace");
  const flags = ["-f", "-qq", "-e", "trace=brk", "-o", trace];
  const line = [...flags, REKEY, "verify", await box.token()];
  assert.equal((await box.exec("/usr/bin/strace", line)).code, 0);
  const ends = [...Deno.readTextFileSync(trace).matchAll(/= (0x\w+)$/gm)].map(([, at]) =>
    Number(at)
  );
  const given = Math.max(...ends) - ends.at(-1)!;
  assert.ok(given >= GIVEN_BACK, `${given} bytes are given back`);
});

Deno.test("a start has the runtime compile no code for calls of the C library", async () => {
  using box = await initialised();
  const trace = join(box.home, "trace");
  const flags = ["-f", "-qq", "-e", "trace=mprotect", "-o", trace];
  const { code } = await box.exec("/usr/bin/strace", [
    ...flags,
    ...[REKEY, "verify", await box.token()],
  ]);
  assert.equal(code, 0);
  // V8's own code is writable too.
  assert.doesNotMatch(Deno.readTextFileSync(trace), /PROT_READ\|PROT_EXEC/);
});
