import assert from "node:assert/strict";
import { join } from "node:path";
import { archiveFiles, debianFiles, type System } from "../../scripts/package/contents.ts";
import { zipped } from "../../scripts/package/zip.ts";
import { installed, unless } from "../support/faults/faults.ts";

const INGREDIENTS = {
  binary: Uint8Array.of(1, 2, 3),
  licenses: "texts\n",
  version: "1.2.3",
  time: 1_700_000_000,
};

const files = async (system: System) => [...await archiveFiles(INGREDIENTS, system)];
const names = async (system: System) => (await files(system)).map(([path]) => path);

Deno.test("each system's archive has its binary, documents, licences, completions and jobs", async () => {
  const expected: [System, binary: string, completions: number, jobs: RegExp[]][] = [
    ["linux", "rekey", 4, [
      ...[/^systemd\/user\/rekey-rotate-\w+\.timer$/, /rekey-serve\.service$/],
      /^systemd\/user\/rekey-deliver-\w+\.service$/,
    ]],
    ["darwin", "rekey", 4, [/^launchd\/rekey-rotate-\w+\.plist$/, /rekey-deliver-\w+\.plist$/]],
    ["windows", "rekey.exe", 1, [/^schedule\/rekey-rotate-\w+\.xml$/, /rekey-deliver-\w+\.xml$/]],
  ];
  for (const [system, binary, completions, jobs] of expected) {
    const all = await names(system);
    for (const path of [binary, "README.md", "SECURITY.md", "LICENSE", "LICENSES.txt"]) {
      assert.ok(all.includes(path), `${system}: ${path}`);
    }
    const beginning = (folder: string) => all.filter((path) => path.startsWith(folder));
    assert.equal(beginning("completions/").length, completions, system);
    for (const job of jobs) assert.ok(all.some((path) => job.test(path)), `${system}: ${job}`);
    assert.equal(beginning("man/").length > 20, system !== "windows");
  }
});

Deno.test("the Debian package's copyright file has rekey's own licence and those of its parts", async () => {
  const license = Deno.readTextFileSync(new URL("../../LICENSE", import.meta.url));
  assert.match(license, /^MIT License\n\nCopyright \(c\) \d{4} the rekey authors\n/);
  const copyright = String(
    (await debianFiles(INGREDIENTS)).get("usr/share/doc/rekey/copyright")?.data,
  );
  assert.equal(copyright, `${license}\n${INGREDIENTS.licenses}`);
});

Deno.test("no system's archive has another one's jobs", async () => {
  const folders: Record<System, string> = {
    linux: "systemd/",
    darwin: "launchd/",
    windows: "schedule/",
  };
  for (const [system, own] of Object.entries(folders)) {
    const others = Object.values(folders).filter((folder) => folder !== own);
    for (const path of await names(system as System)) {
      assert.ok(!others.some((folder) => path.startsWith(folder)), path);
    }
  }
});

Deno.test("the jobs start the binary where that system has programs", async () => {
  const content = async (system: System, path: RegExp) =>
    String((await files(system)).find(([name]) => path.test(name))?.[1].data);
  assert.match(await content("darwin", /\.plist$/), /<string>\/usr\/local\/bin\/rekey<\/string>/);
  assert.match(await content("darwin", /\.plist$/), /\/Users\/NAME\/Library\/Logs\//);
  assert.match(await content("windows", /^schedule/), /C:\\Program Files\\rekey\\rekey\.exe/);
  assert.match(await content("linux", /agiworkforce\.service$/), /\/usr\/bin\/rekey/);
});

const LIST = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    print(json.dumps([[i.filename, i.date_time, oct(i.external_attr >> 16), archive.read(i).decode()]
                      for i in archive.infolist()]))`;
import { must } from "../../scripts/program.ts";

async function list(archive: Uint8Array): Promise<unknown[]> {
  const path = Deno.makeTempFileSync({ prefix: "rekey-test-" });
  try {
    Deno.writeFileSync(path, archive);
    return JSON.parse(await must("python3", ["-c", LIST, path]));
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test({
  name: "a .zip holds the files in order, with their modes and the day of the commit",
  ignore: unless(installed("python3"), "python3"),
  async fn() {
    const archive = zipped(
      new Map([
        ["a/z.txt", { data: "z", mode: 0o644 }],
        ["a/b.exe", { data: "b".repeat(1000), mode: 0o755 }],
      ]),
      Date.UTC(2026, 10, 29, 23, 59) / 1000,
    );
    const noon = [2026, 11, 29, 12, 0, 0];
    assert.deepEqual(await list(archive), [
      ["a/b.exe", noon, "0o100755", "b".repeat(1000)],
      ["a/z.txt", noon, "0o100644", "z"],
    ]);
  },
});

Deno.test({
  name: "a .zip of a time that it cannot have is one of 1980",
  ignore: unless(installed("python3"), "python3"),
  async fn() {
    const [file] = await list(zipped(new Map([["a", { data: "", mode: 0o644 }]]), 0));
    assert.deepEqual((file as unknown[])[1], [1980, 1, 2, 12, 0, 0]);
  },
});

Deno.test("a .zip has the same bytes in every time zone", async () => {
  const script = join(import.meta.dirname!, "../../scripts/package/zip.ts");
  const code = `import { zipped } from "${script}";
    const files = new Map([["a", { data: "text", mode: 0o644 }]]);
    const bytes = [1679797800, 1700000000].map((time) => zipped(files, time));
    console.log(JSON.stringify(bytes.map((one) => [...one])));`;
  const texts = await Promise.all(
    ["UTC", "Asia/Tokyo", "America/St_Johns"].map((TZ) =>
      must(Deno.execPath(), ["eval", "--quiet", code], { env: { TZ } })
    ),
  );
  assert.equal(new Set(texts).size, 1);
  assert.ok(JSON.parse(texts[0]!)[0].length > 100);
});
