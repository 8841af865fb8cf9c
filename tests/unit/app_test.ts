import assert from "node:assert/strict";
import { appNamed, foldersFor, type Surroundings } from "../../src/core/app.ts";
import { isRekeyError } from "../../src/core/errors.ts";

Deno.test("the application's names are those that existing installations use", () => {
  const app = appNamed("agiworkforce");
  assert.equal(app.service, "AGI Workforce");
  assert.equal(app.account, "agiworkforce.jwt_secret");
});

Deno.test("another app has its own names", () => {
  const app = appNamed("acme");
  assert.deepEqual([app.service, app.account], ["acme", "acme.jwt_secret"]);
});

for (const name of ["", "..", "../x", "a/b", "A", "a b", ".hidden", "a".repeat(65), "a\0b"]) {
  Deno.test(`${JSON.stringify(name.slice(0, 8))} (${name.length}) is refused as an app name`, () => {
    assert.throws(() => appNamed(name), (error) => isRekeyError(error, "usage"));
  });
}

const app = appNamed("acme");
const around = (os: Surroundings["os"], env: Record<string, string> = {}, home?: string) => ({
  os,
  home,
  env: (name: string) => env[name],
});

Deno.test("Linux follows XDG, and ignores relative values", () => {
  assert.equal(foldersFor(app, around("linux", {}, "/home/u")).data, "/home/u/.local/share/acme");
  const xdg = { XDG_DATA_HOME: "/d", XDG_CONFIG_HOME: "/c", XDG_CACHE_HOME: "k" };
  assert.deepEqual(foldersFor(app, around("linux", xdg, "/home/u")), {
    data: "/d/acme",
    defaultData: "/d/acme",
    dataNamed: false,
    config: "/c/rekey",
    cache: "/home/u/.cache/rekey",
  });
});

Deno.test("macOS and Windows have their own places", () => {
  const mac = foldersFor(app, around("darwin", {}, "/Users/u"));
  assert.equal(mac.data, "/Users/u/Library/Application Support/acme");
  const windows = foldersFor(app, around("windows", { LOCALAPPDATA: "C:\\L" }));
  assert.match(windows.data, /^C:\\L.acme$/);
});

Deno.test("without a home folder a data folder must be named, and only the data goes there", () => {
  assert.throws(() => foldersFor(app, around("linux")), (error) => isRekeyError(error, "usage"));
  const { config, cache, data } = foldersFor(app, around("linux"), "/data");
  assert.deepEqual([data, config, cache], ["/data", undefined, undefined]);
});
