import assert from "node:assert/strict";
import { join } from "node:path";
import { REKEY } from "../support/process/box.ts";
import { PEERS, Workshop } from "./peers.ts";

const PAGE = Deno.readTextFileSync(join(import.meta.dirname!, "../../docs/exec.md"));

/** The page's programs, by the name of the library that each uses. */
const PROGRAMS = [
  { peer: "jsonwebtoken", block: "js", file: "verify.cjs", run: ["node"] },
  { peer: "PyJWT", block: "python", file: "verify.py", run: ["/usr/bin/python3"] },
  { peer: "golang-jwt", block: "go", file: "verify.go", run: ["go", "run"] },
];

for (const { peer: name, block, file, run } of PROGRAMS) {
  const peer = PEERS.find((peer) => peer.name === name)!;
  using probe = new Workshop();
  const there = await probe.has(peer);
  Deno.test({
    name: `docs/exec.md: ${name} verifies with what exec gives it${
      there ? "" : ` (needs ${peer.needs})`
    }`,
    ignore: !there,
    async fn() {
      using box = new Workshop();
      if (name === "jsonwebtoken") assert.equal((await box.npmInstall("jsonwebtoken@9")).code, 0);
      const [, source] = new RegExp(`^\`\`\`${block}\n([^]*?)^\`\`\`$`, "m").exec(PAGE)!;
      Deno.writeTextFileSync(join(box.home, file), source!);
      await box.run(["init"]);
      const tokens = [await box.token("alice")];
      await box.run(["rotate", "--force"]);
      tokens.push(await box.token("bob"));
      const answer = async (token: string) => {
        const line = ["exec", "--", ...run, join(box.home, file)];
        const { code, stdout } = await box.exec(REKEY, line, { stdin: `${token}\n` });
        return [code === 0, stdout.trim()];
      };
      assert.deepEqual(await Promise.all(tokens.map(answer)), [[false, ""], [true, "bob"]]);
      // An application's secret that was imported has had this one.
      await box.run(["rotate", "--force", "--alg", "HS256"]);
      assert.deepEqual(await answer(await box.token("carol")), [true, "carol"]);
    },
  });
}
