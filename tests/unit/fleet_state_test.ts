import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { type FleetState, openState, sealState } from "../../src/cluster/state.ts";
import type { Kek } from "../../src/store/sealed/kek.ts";
import { seal, unseal } from "../../src/store/sealed/sealing.ts";

function testKek(): Kek {
  return {
    id: "k".repeat(16),
    key: createSecretKey(randomBytes(32)),
    source: "",
    generated: false,
  };
}

Deno.test("a state that an older rekey wrote has one algorithm and key form for all versions", async () => {
  const row = (version: number, state: string) => ({ version, kid: `kid${version}`, state });
  const older = {
    ...{ format: 1, id: "fleet", change: 3, alg: "HS256", key_form: "raw" },
    versions: [row(3, "current"), row(2, "previous")],
    retired: [row(1, "retired")],
  };
  const kek = testKek();
  const sealed = await seal(kek, { app: "a", use: "fleet" }, JSON.stringify(older));
  const { versions, retired, policy } = openState(kek, "a", sealed);
  for (const { alg, key_form } of [...versions, ...retired]) {
    assert.deepEqual([alg, key_form], ["HS256", "raw"]);
  }
  assert.equal(policy, undefined, "each machine keeps its own");
});

Deno.test("a version keeps the algorithm that the state says it has", async () => {
  const kek = testKek();
  const row = { version: 1, kid: "k", state: "previous", alg: "HS256", key_form: "text" };
  const state = {
    ...{ format: 1, id: "fleet", change: 3, alg: "HS512", key_form: "raw" },
    versions: [row],
    retired: [],
  } as unknown as FleetState;
  const [version] = openState(kek, "a", await sealState(kek, "a", state)).versions;
  assert.deepEqual([version?.alg, version?.key_form], ["HS256", "text"]);
});

for (const [alg, format] of [["HS512", 1], ["ES256", 2]] as const) {
  Deno.test(`a state with a version of ${alg}, current or retired, has format ${format}`, async () => {
    const kek = testKek();
    const row = (version: number, state: string, alg: string) => ({
      version,
      kid: `${version}`,
      state,
      alg,
    });
    for (const algorithms of [["HS512", alg], [alg, "HS512"]] as const) {
      const state = {
        ...{ format: 1, id: "fleet", change: 3, alg: "HS512", key_form: "text" },
        versions: [row(2, "current", algorithms[0])],
        retired: [row(1, "retired", algorithms[1])],
      } as unknown as FleetState;
      const sealed = await sealState(kek, "a", state);
      const written = JSON.parse(unseal(kek, { app: "a", use: "fleet" }, sealed));
      // An older rekey takes format 1 only, and accepts no token when it meets another.
      assert.equal(written.format, format);
      assert.equal(openState(kek, "a", sealed).versions[0]?.alg, algorithms[0]);
    }
  });
}
