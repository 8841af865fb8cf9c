import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";

async function events(box: Box): Promise<string[]> {
  const { stdout } = await box.run(["audit", "export"]);
  return stdout.trim().split("\n").map((line) => JSON.parse(line).event)
    .filter((event) => event.includes("retrieved"));
}

const [PLAIN, FALLBACK] = [
  "JWT secret retrieved from database",
  "JWT secret retrieved from database (fallback)",
];

Deno.test("a secret that lives in the database by choice is retrieved from there, and that is no fallback", async () => {
  for (const way of ["flag", "variable", "import", "move", "again"]) {
    using box = new Box(way === "variable" ? { REKEY_STORE: "database" } : {});
    const asked = ["--store", "database"];
    const value = "a-secret-of-an-application-that-is-long-enough-for-HS512-tokens-xyz";
    if (way === "import") await box.run(["import", ...asked], { stdin: value });
    else await box.run(["init", ...way === "flag" ? asked : []]);
    if (way === "move") await box.run(["store", "move", "database"]);
    if (way === "again") await box.run(["init", ...asked]);
    const before = (await events(box)).length;
    await box.token();
    // Without the flag: the choice is remembered.
    await box.run(["status"], { env: { REKEY_STORE: "" } });
    const after = (await events(box)).slice(before);
    assert.deepEqual([...new Set(after)], [PLAIN], way);
    const { fallback_rate, retrieval } = await box.json("stats");
    assert.equal(fallback_rate, 0);
    assert.ok(retrieval.database.count >= after.length);
    assert.equal((await box.run(["audit", "verify"])).code, 0);
  }
});

Deno.test("init and store move say and log that a secret's place is a choice now, once", async () => {
  for (const command of [["init"], ["store", "move", "database"]]) {
    using box = new Box();
    await box.run(["init"]);
    const choose = async () => {
      const { stdout, stderr } = await box.run(command, { env: { REKEY_STORE: "database" } });
      return /for want of a keyring: it stays there now, after rotations too$/m.test(
        stdout + stderr,
      );
    };
    assert.deepEqual([await choose(), await choose()], [true, false]);
    const { stdout } = await box.run(["audit", "export"]);
    const rows = stdout.trim().split("\n").map((line) => JSON.parse(line));
    const moves = rows.filter(({ event }) => event === "JWT secret moved");
    assert.deepEqual(moves.map(({ version, location }) => [version, location]), [[1, "database"]]);
    assert.equal((await box.run(["audit", "verify"])).code, 0);
  }
});

Deno.test("a secret that is in the database for want of a keyring is a fallback, as the guide has it", async () => {
  using box = new Box();
  await box.run(["init"]);
  await box.token();
  assert.deepEqual([...new Set(await events(box))], [FALLBACK]);
});
