import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import { GENERATED } from "../../scripts/docs.ts";
import { makeProgram } from "../../src/cli/program.ts";

const ROOT = join(import.meta.dirname!, "../..");
const read = (path: string) => Deno.readTextFileSync(join(ROOT, path));

// The formatter pads cells and breaks lines.
const unformatted = (text: string) => text.replace(/\s+/g, " ").replace(/-{3,}/g, "---");

for (const { path, filled } of GENERATED) {
  Deno.test(`what ${path} has of the code is what the code says`, () => {
    const page = read(path);
    assert.equal(
      unformatted(filled(page)),
      unformatted(page),
      "run `deno run -RW scripts/docs.ts`",
    );
  });
}

Deno.test("docs/supply-chain.md gives every dependency a reason", () => {
  const names = Object.keys(JSON.parse(read("deno.json")).imports);
  const [, section] = /^## Dependencies\n([^]*?)^## /m.exec(read("docs/supply-chain.md"))!;
  assert.ok(names.length > 0);
  for (const name of names) assert.ok(section!.includes(`\`${name}\``), name);
});

Deno.test("README is read in ten minutes, and names every command once", async () => {
  const readme = read("README.md");
  const words = readme.split(/\s+/).length;
  assert.ok(words < 1000, `${words} words`);
  const [, list] = /^## Commands\n+```\n([^]*?)^```$/m.exec(readme)!;
  const program = await makeProgram("0", () => Promise.resolve());
  const visible = program.createHelp().visibleCommands(program).map((command) => command.name());
  const named = list!.trimEnd().split("\n").map((line) => line.split(" ")[0]!);
  assert.deepEqual(named.toSorted(), visible.toSorted());
});

Deno.test("docs/commands.md has every command, and every flag that its help shows", async () => {
  const blocks = [...read("docs/commands.md").matchAll(/^```\n([^]*?)^```$/gm)].map(([, text]) =>
    text
  );
  // A form goes on in lines that are indented by eight.
  const forms = blocks.join("\n").replace(/\n {8}/g, " ").split("\n")
    .filter((line) => line.startsWith("rekey "));
  const program = await makeProgram("0", () => Promise.resolve());
  const missing: string[] = [];
  let flags = 0;
  for (const command of program.createHelp().visibleCommands(program)) {
    for (const one of command.commands.length === 0 ? [command] : command.commands) {
      const mine = forms.filter((form) => {
        const [, name, below] = form.split(" ");
        return name === command.name() &&
          (one === command || below!.replace(/[[\]]/g, "").split("|").includes(one.name()));
      });
      const words = one === command ? one.name() : `${command.name()} ${one.name()}`;
      if (mine.length === 0) missing.push(words);
      if (mine.some((form) => form.endsWith(" …"))) continue;
      for (const { long, hidden } of one.options) {
        if (hidden) continue;
        flags++;
        if (!mine.some((form) => form.match(/--[\w-]+/g)?.includes(long!))) {
          missing.push(`${words} ${long}`);
        }
      }
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(flags > 60, `only ${flags} flags were seen`);
});

/** Every page of the tree, but not of what is built or fetched. */
function* pagesBelow(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory && !name.startsWith(".") && !["dist", "node_modules"].includes(name)) {
      yield* pagesBelow(join(folder, name));
    } else if (name.endsWith(".md")) yield relative(ROOT, join(folder, name));
  }
}

const PAGES = [...pagesBelow(ROOT)];

Deno.test("every page is looked at", () => {
  for (const page of ["README.md", "docs/serve.md", "findings/README.md"]) {
    assert.ok(PAGES.includes(page), page);
  }
});

Deno.test("no line of a table is over 200 characters", () => {
  const wide = PAGES.flatMap((page) =>
    read(page).split("\n").flatMap((line, at) =>
      /^\s*\|/.test(line) && line.length > 200 ? [`${page}:${at + 1}: ${line.length}`] : []
    )
  );
  assert.deepEqual(wide, []);
});

/** The places of a page that a link can lead to, as GitHub names them. */
function anchorsOf(text: string): string[] {
  return [...text.replace(/^```[^]*?^```$/gm, "").matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

Deno.test("every link to a page leads to it, and to a heading of it", () => {
  const broken: string[] = [];
  let count = 0;
  for (const page of PAGES) {
    const text = read(page).replace(/^ *```[^]*?^ *```$/gm, "");
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [path, anchor] = target!.split("#");
      const file = path === "" ? join(ROOT, page) : join(ROOT, dirname(page), path!);
      count++;
      try {
        const there = Deno.statSync(file).isFile;
        if (!there || (anchor && !anchorsOf(Deno.readTextFileSync(file)).includes(anchor))) {
          broken.push(`${page}: ${target}`);
        }
      } catch {
        broken.push(`${page}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
  assert.ok(count > 60, `only ${count} links were found`);
});

Deno.test("every file of the tree that a page names is there", () => {
  const missing: string[] = [];
  let count = 0;
  for (const page of PAGES) {
    for (const [, path] of read(page).matchAll(/`((?:src|tests|scripts|findings)\/[\w./-]+)`/g)) {
      count++;
      try {
        Deno.statSync(join(ROOT, path!));
      } catch {
        missing.push(`${page}: ${path}`);
      }
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(count > 30, `only ${count} were found`);
});
