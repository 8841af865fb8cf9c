import assert from "node:assert/strict";
import { beforeStart } from "../../src/cli/exec/before_start.ts";
import { HandoutNote } from "../../src/cli/exec/handout_note.ts";
import { KeysFile } from "../../src/cli/exec/keys_file.ts";
import type { Output } from "../../src/cli/output.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { testEnvironment } from "../support/store/environment.ts";
import { query } from "../support/store/sql.ts";

/** What a program starts with when something happens between its file of keys and the record of it. */
async function started(meanwhile: (rotating: SecretManager) => Promise<unknown>) {
  using environment = testEnvironment();
  const secrets = new SecretManager(environment);
  const other = new SecretManager(environment);
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  try {
    await secrets.getOrCreate();
    const { installation, version: { kid } } = await secrets.open();
    const read = async (version: Parameters<SecretManager["valueOf"]>[0]) =>
      (await secrets.valueOf(version, "exec")).secret;
    const file = new KeysFile(folder, read, assert.fail);
    const output = { warning: assert.fail } as unknown as Output;
    const note = new HandoutNote(secrets, output, () => ({ signal: "HUP", keys: file.kids }));
    const given = {
      program: { name: "sh", path: "/bin/sh", args: [] },
      ...{ kid, previous: undefined, variables: {}, absent: [], written: true },
    };
    const noted: string[] = [];
    await beforeStart(secrets, file, {
      begin: async (handout) => {
        noted.push(...file.kids);
        await meanwhile(other);
        await note.begin(handout);
      },
      setKeys: (kids) => note.setKeys(kids),
    }, given);
    const [{ keys } = {}] = query(installation.database.path, "SELECT keys FROM rekey_exec");
    const text = Deno.readTextFileSync(file.path);
    const held = JSON.parse(text).keys.map((key: { kid: string }) => key.kid);
    const current = installation.versions.current()!.kid;
    assert.deepEqual(noted, [kid]);
    return { before: kid, current, held, recorded: String(keys).split(" ") };
  } finally {
    secrets.close();
    other.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a program starts with the key of a rotation that did not know of its file yet", async () => {
  const { before, current, held, recorded } = await started((other) =>
    other.rotate({ graceMs: 3_600_000 })
  );
  assert.notEqual(current, before);
  assert.deepEqual(held, [current, before]);
  assert.deepEqual(recorded, held);
});

Deno.test("a program starts without a key that ended before its file was known", async () => {
  const { before, current, held, recorded } = await started((other) => other.rotate());
  assert.notEqual(current, before);
  assert.deepEqual(held, [current]);
  assert.deepEqual(recorded, held);
});

Deno.test("a program starts with the key that was given where nothing happens", async () => {
  const { before, held, recorded } = await started(() => Promise.resolve());
  assert.deepEqual([held, recorded], [[before], [before]]);
});
