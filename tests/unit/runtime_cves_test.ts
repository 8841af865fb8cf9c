import assert from "node:assert/strict";
import { PERMISSIONS } from "../../scripts/permissions.ts";
import { fixedIn, KNOWN_FAULTS, knownFixes } from "../../src/cli/runtime_cves.ts";

const missing = (deno: string, sqlite: string, os = "linux") =>
  knownFixes({ deno, sqlite, os }).filter(({ present }) => !present).map(({ id }) => id);

Deno.test("a fix is in every version from the one that has it", () => {
  const wal = (sqlite: string) => missing("99.0.0", sqlite).includes("WAL reset");
  assert.deepEqual(["3.9.0", "3.50.2", "3.51.2", "3.51.3", "3.51.10", "3.53.2", "4.0.0"].map(wal), [
    ...[true, true, true],
    ...[false, false, false, false],
  ]);
  // Older lines that have it too, from a later version on.
  assert.deepEqual(["3.50.6", "3.50.7", "3.50.10", "3.51.2", "3.44.5", "3.44.6"].map(wal), [
    ...[true, false, false],
    ...[true, true, false],
  ]);
  assert.ok(!wal("3.6.23"), "from before WAL");
  assert.ok(missing("2.7.11", "99.0.0").includes("CVE-2026-49406"));
  assert.ok(!missing("2.7.12", "99.0.0").includes("CVE-2026-49406"));
});

Deno.test("a version before the fault does not need the fix", () => {
  const fault = (deno: string) => missing(deno, "99.0.0").includes("CVE-2026-32260");
  assert.deepEqual(["2.6.10", "2.7.0", "2.7.1", "2.7.2"].map(fault), [false, true, true, false]);
});

Deno.test("a fault without a release that has the fix is there in all versions that were looked at", () => {
  const fault = (deno: string) => missing(deno, "99.0.0", "windows").includes("CVE-2026-103473");
  assert.deepEqual(["2.6.9", "2.7.11", "2.9.7", "2.9.8"].map(fault), [false, true, true, false]);
  const entry = KNOWN_FAULTS.find(({ id }) => id === "CVE-2026-103473")!;
  assert.equal(fixedIn(entry), "Deno after 2.9.7");
});

Deno.test("faults of another system are not listed", () => {
  const ids = (os: string) =>
    knownFixes({ deno: "2.7.11", sqlite: "3.50.2", os }).map(({ id }) => id);
  assert.ok(!ids("linux").includes("CVE-2026-49401") && ids("darwin").includes("CVE-2026-49401"));
  assert.ok(!ids("darwin").includes("CVE-2026-49402") && ids("windows").includes("CVE-2026-49402"));
});

Deno.test("SECURITY.md lists the same faults, with the same words", () => {
  const text = Deno.readTextFileSync(new URL("../../SECURITY.md", import.meta.url));
  const rows = text.split("\n").filter((line) => /^\| (CVE-|WAL reset)/.test(line))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  assert.deepEqual(
    rows.map(([, id, , fixed, rekey]) => [id, fixed, rekey]),
    KNOWN_FAULTS.map((fault) => [fault.id, fixedIn(fault), fault.rekey]),
  );
});

Deno.test("the statements about known faults hold for the program", () => {
  const sources = [...filesBelow(new URL("../../src/", import.meta.url))]
    .filter(({ pathname }) => !pathname.endsWith("/runtime_cves.ts"))
    .map((url) => Deno.readTextFileSync(url)).join("\n");
  const said: [RegExp, unexpected: RegExp][] = [
    [/node:child_process/, /child_process/],
    [/WebSocket/, /\bWebSocket(Stream)?\(/],
    [/node:tls/, /["']node:(tls|https)["']/],
    [/node_modules/, /createRequire|node_modules/],
    [/primality/, /checkPrime|generatePrime/],
    [/FTS/, /USING fts\d|VIRTUAL TABLE \w/i],
  ];
  for (const [words, unexpected] of said) {
    assert.ok(KNOWN_FAULTS.some(({ rekey }) => words.test(rekey)), `${words} is said of nothing`);
    assert.doesNotMatch(sources, unexpected);
  }
  assert.ok(PERMISSIONS.every(([flag]) => !flag.startsWith("--deny")));
});

function* filesBelow(folder: URL): Generator<URL> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* filesBelow(new URL(`${name}/`, folder));
    else if (/\.(ts|js)$/.test(name)) yield new URL(name, folder);
  }
}
