import assert from "node:assert/strict";
import { join } from "node:path";
import { PAIR_ALGORITHMS } from "../../src/core/algorithms.ts";
import { Serving } from "../support/http/serving.ts";
import { Box } from "../support/process/box.ts";
import { sample } from "../support/process/sample.ts";
import { ageFlags } from "../support/store/backing_up.ts";
import { openSealed } from "../support/store/sealed.ts";
import { query, sql } from "../support/store/sql.ts";
import { until } from "../support/timing/pause.ts";
import { kidOfValue } from "../support/store/values.ts";

for (const alg of sample(PAIR_ALGORITHMS, 2)) {
  Deno.test(`${alg} in the database: its value opens under each KEK, and from a backup elsewhere`, async () => {
    using box = new Box();
    const { kid } = await box.json("init", "--alg", alg);
    const token = await box.token();
    assert.equal(kidOfValue((await openSealed(box)).value), kid);
    await box.run(["kek", "rotate"]);
    assert.equal((await box.json("verify", token)).valid, true);
    await box.run(["rotate", "--force", "--alg", "HS512", "--grace", "1h"]);
    await box.run(["rotate", "--force", "--alg", alg, "--grace", "1h"]);
    const newer = await box.token();

    const age = await ageFlags(box);
    await box.run(["backup", "b", "--with-secret", ...age.seal]);
    using other = new Box();
    for (const name of ["b", "identity"]) {
      Deno.copyFileSync(join(box.home, name), join(other.home, name));
    }
    const identity = ["--identity-file", join(other.home, "identity")];
    assert.equal((await other.json("restore", "b", ...identity)).secret_from, "envelope");
    assert.equal((await other.json("verify", newer)).valid, true);
    assert.equal((await other.json("status")).alg, alg);
    for (const one of [token, newer]) assert.equal((await box.json("verify", one)).valid, true);
  });
}

/** Exit status and code of a refusal. */
async function refusal(box: Box, ...args: string[]): Promise<string> {
  const { code, stderr } = await box.run([args[0]!, "--json", ...args.slice(1)]);
  return `${code} ${JSON.parse(stderr.trim().split("\n").at(-1)!).error.code}`;
}

const NEED_VALUE = [
  ["issue", "--sub", "a"],
  ["exec", "--env", "SECRET", "--", "true"],
  ["rotate", "--force", "--grace", "1h"],
];

const OTHERS: Readonly<Record<string, readonly (readonly [alg: string, form: string])[]>> = {
  ES256: [["HS256", "text"], ["HS512", "pkcs8"], ["ES384", "pkcs8"], ["RS256", "pkcs8"]],
  HS512: [["ES256", "pkcs8"], ["ES256", "text"], ["HS512", "pkcs8"]],
};

// No key of the algorithm has the form: no value is needed to see that the row is damaged.
function isImpossible(alg: string, form: string): boolean {
  return alg.startsWith("HS") === (form === "pkcs8");
}

for (const [alg, others] of Object.entries(OTHERS)) {
  Deno.test(`a row of ${alg} whose algorithm or form was changed signs nothing and opens nothing`, async () => {
    using box = new Box();
    await box.run(["init", "--store", "database", "--alg", alg]);
    const token = await box.token();
    const [row] = query(box, "SELECT alg, key_form FROM rekey_versions");
    const change = (to: string, form: string) =>
      sql(box, `UPDATE rekey_versions SET alg = '${to}', key_form = '${form}'`);
    await using serving = await Serving.start(box);
    for (const [to, form] of others) {
      change(to, form);
      const code = isImpossible(to, form) ? "database_damaged" : "secret_damaged";
      for (const args of NEED_VALUE) {
        assert.equal(await refusal(box, ...args), `4 ${code}`, `${to} ${form} ${args}`);
      }
      assert.notEqual((await box.run(["verify", token])).code, 0, `${to} ${form}`);
      const { findings } = await box.json("doctor");
      const codes = findings.map(({ code }: { code: string }) => code);
      assert.ok(codes.includes(code), codes.join());
      assert.notEqual(await serving.auth(token), 204, `${to} ${form}`);
    }
    change(row!.alg, row!.key_form);
    assert.equal((await box.json("verify", token)).valid, true);
    // A value that could not be read is tried again after a while.
    await until(async () => await serving.auth(token) === 204);
  });
}
