import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";

const SRC = join(import.meta.dirname!, "../../src");

/** Rooms from the inside out: a room may use those before it, never one after it. */
const ROOMS = [
  "boot",
  "core",
  "jwt",
  "audit",
  "system",
  "files",
  "etcd",
  "store",
  "stream",
  "secret",
  "cluster",
  "users",
  "auth",
  "deliver",
  "backup",
  "doctor",
  "http",
  "serve",
  "cli",
];

function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* sources(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

const room = (path: string) => relative(SRC, path).split("/")[0]!;

Deno.test("imports between rooms go one way", () => {
  let arrows = 0;
  for (const path of sources(SRC)) {
    for (
      const [, target] of Deno.readTextFileSync(path).matchAll(/(?:from|import\() ?"(\.[^"]+)"/g)
    ) {
      const [from, to] = [room(path), room(join(dirname(path), target!))];
      assert.ok(ROOMS.includes(from) && ROOMS.includes(to), `${from} or ${to} is no known room`);
      assert.ok(
        ROOMS.indexOf(to) <= ROOMS.indexOf(from),
        `${relative(SRC, path)} imports ${target}`,
      );
      arrows++;
    }
  }
  assert.ok(arrows > 50, "the test must have seen the imports");
});

// V8's code of the program is chosen by the command.
const TOUCHES: Readonly<Record<string, string[]>> = { "boot/main.ts": ["Deno.args"] };

Deno.test("only the command line touches arguments, exit and the terminal", () => {
  for (const path of sources(SRC)) {
    if (room(path) === "cli") continue;
    const found =
      /Deno\.(args|exit|stdin|stdout|stderr|env)\b|process\.(argv|exit|env|stdout)\b|\bconsole\./g;
    const text = Deno.readTextFileSync(path).replace(/^ *\*.*$/gm, "");
    const name = relative(SRC, path);
    assert.deepEqual(text.match(found) ?? [], TOUCHES[name] ?? [], name);
  }
});

Deno.test("SQL stays in the rooms that own tables", () => {
  const sql =
    /"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA) |`\s*(SELECT|INSERT|UPDATE|DELETE|CREATE) /;
  for (const path of sources(SRC)) {
    if (["store", "audit", "users"].includes(room(path))) continue;
    assert.doesNotMatch(Deno.readTextFileSync(path), sql, relative(SRC, path));
  }
});
