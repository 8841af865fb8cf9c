import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { makeProgram } from "../../src/cli/program.ts";
import { Box, REKEY } from "../support/process/box.ts";

const ROOT = join(import.meta.dirname!, "../..");
const read = (path: string) => Deno.readTextFileSync(join(ROOT, path));
const pagesIn = (folder: string) =>
  [...Deno.readDirSync(join(ROOT, folder))].map(({ name }) => `${folder}/${name}`)
    .filter((path) => path.endsWith(".md"));
const PAGES = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"]
  .concat(pagesIn("docs"), pagesIn("docs/presets"));

Deno.test("docs/operations.md works as it is written", async () => {
  using box = new Box();
  const blocks = [...read("docs/operations.md").matchAll(/^```sh\n([\s\S]*?)^```$/gm)];
  assert.ok(blocks.length >= 10);
  const script = blocks.map(([, block]) => block).join("\n")
    // A session of the user that the page names.
    .replace("rekey session revoke", "rekey issue --sub alice --quiet > /dev/null\n$&");
  const { code, stdout, stderr } = await box.exec("/bin/bash", [
    "-c",
    `set -euo pipefail\n${script}`,
  ], {
    env: { PATH: `${dirname(REKEY)}:/usr/bin:/bin`, REKEY_STORE: "database" },
  });
  assert.equal(code, 0, stdout + stderr);
  assert.ok(![...box.files().keys()].includes(box.database), "the machine is out of use");
});

// What a shell puts in its place.
const SUBSTITUTION = /\$\(([^()]*)\)/g;
const HEAD = `7:${"A".repeat(43)}`;

// Messages of HMACs, in docs/storage.md.
const LABELS = ["rekey kid v1", "rekey kek id v1", "rekey log gap v1"];

/** The command lines of a page: in code spans and blocks, from `rekey` on. */
function* commandLines(page: string): Generator<string> {
  const text = read(page).replace(/^\|.*$/gm, (row) => row.replaceAll("\\|", "|"));
  const fences = [...text.matchAll(/^ *```[^\n]*\n([\s\S]*?)^ *```$/gm)].map(([, block]) => block!);
  const spans = [...text.replace(/^ *```[\s\S]*?^ *```$/gm, "").matchAll(/`(rekey [^`]+)`/g)]
    .map(([, span]) => span!.replaceAll("\n", " "));
  const lines = [...fences.flatMap((block) => block.split("\n")), ...spans];
  const inner = lines.flatMap((line) => [...line.matchAll(SUBSTITUTION)].map(([, part]) => part!));
  for (const whole of [...lines, ...inner]) {
    const line = whole.replaceAll(SUBSTITUTION, "OUTPUT").replaceAll("SEQ:HASH", HEAD);
    if (LABELS.includes(line)) continue;
    const found = /(?:^|[$|;(]|&& )\s*(rekey [a-z](?:[^|;)#&>]|(?<=\w)\|(?=\w))*)/.exec(line)?.[1];
    if (found !== undefined) yield found.trim();
  }
}

// Words of a shell, as far as the pages use it.
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) =>
    a ?? b ?? c!.replace(/^~\//, "/home/op/")
  );
}

const MENTIONED = [
  "commander.missingArgument",
  "commander.missingMandatoryOptionValue",
  "commander.help",
];

// A synopsis: [--flag VALUE], …, a|b, a name in the place of a page of help.
const isSynopsis = (line: string) => /[[\]…]|\w\|\w|^rekey help [A-Z]+$/.test(line);

Deno.test("every command line in the docs is one that the program understands", async () => {
  const wrong: string[] = [];
  const silent = new Set(pagesIn("docs/presets"));
  let count = 0;
  for (const page of PAGES) {
    for (const line of commandLines(page)) {
      silent.delete(page);
      if (isSynopsis(line)) continue;
      const args = words(line).slice(1);
      const program = await makeProgram("0", async () => {});
      const all = [
        program,
        ...program.commands,
        ...program.commands.flatMap((one) => one.commands),
      ];
      for (const command of all) {
        command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
      }
      await program.parseAsync(args, { from: "user" }).catch((error) => {
        // A sentence may name a command without what it needs.
        if (error.exitCode === 0 || MENTIONED.includes(error.code)) return;
        wrong.push(`${page}: ${line}: ${error.message}`);
      });
      count++;
    }
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual([...silent], [], "each preset's page has a command");
  assert.ok(count > 60, `only ${count} command lines were found`);
});
