import assert from "node:assert/strict";
import { AuthManager } from "../../src/auth/manager.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { sealedSlot } from "../../src/core/location.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { ROTATION_STEPS } from "../../src/secret/backend.ts";
import { isAtRisk, unsaved, warningsOfRisk } from "../../src/secret/keyring/unsaved.ts";
import type { MirrorChoice } from "../../src/store/environment.ts";
import { sample } from "../support/process/sample.ts";
import { testEnvironment } from "../support/store/environment.ts";
import { ForgetfulKeyring } from "../support/keyring/forgetful_keyring.ts";

const ACCOUNT = "agiworkforce.jwt_secret";

/** A machine whose keyring forgets; each manager is a command of its own. */
class Machine implements Disposable {
  readonly keyring: ForgetfulKeyring;
  readonly environment;

  constructor(obeys: boolean, mirror: MirrorChoice = "auto") {
    const keyring = this.keyring = new ForgetfulKeyring(obeys);
    this.environment = testEnvironment(() => keyring.addon(), mirror, keyring.saving());
  }

  async command<T>(work: (manager: SecretManager) => Promise<T>): Promise<T> {
    const manager = new SecretManager(this.environment);
    try {
      return await work(manager);
    } finally {
      manager.close();
    }
  }

  token(): Promise<string> {
    return this.command(async (manager) =>
      (await new AuthManager(manager).issue({ subject: "a", lifetime: 60 })).token
    );
  }

  verify(token: string) {
    return this.command((manager) => manager.verify(token));
  }

  /** What the database keeps of the current version, and what it remembers as not saved. */
  kept() {
    return this.command(async (manager) => {
      const { installation, version } = await manager.open();
      const copy = installation.sealed.sealedValue(sealedSlot(version)) !== undefined;
      return { copy, unsaved: unsaved(installation)?.versions ?? [] };
    });
  }

  [Symbol.dispose](): void {
    this.environment[Symbol.dispose]();
  }
}

const COMMANDS: Record<string, (manager: SecretManager) => Promise<unknown>> = {
  rotate: (manager) => manager.rotate(),
  "rotate --grace": (manager) => manager.rotate({ graceMs: 60_000 }),
  "store move keyring": async (manager) => {
    await manager.move("database");
    await manager.move("keyring");
  },
  "rotate twice, with a grace window": async (manager) => {
    await manager.rotate({ graceMs: 60_000 });
    await manager.rotate({ graceMs: 60_000 });
  },
};

for (const obeys of [true, false]) {
  const how = obeys ? "saves when it is told to" : "does not say when it saves";
  for (const [name, work] of Object.entries(COMMANDS)) {
    for (const since of sample(["the beginning", "the command before"], 2)) {
      Deno.test(`${name}: a keyring that ${how} ends, and has forgotten all since ${since}`, async () => {
        using machine = new Machine(obeys);
        const { keyring } = machine;
        await machine.command((manager) => manager.getOrCreate());
        if (since !== "the beginning") keyring.save();
        await machine.command(work);
        const token = await machine.token();
        const { version } = await machine.command((manager) => manager.get());
        assert.equal((await machine.kept()).copy, !obeys);
        keyring.restart();
        assert.equal((await machine.verify(token)).version, version.version);
        const { secret } = await machine.command((manager) => manager.get());
        assert.equal(keyring.items.get(ACCOUNT), secret.reveal());
        // What was put back may be forgotten as well, but not what a later run was read from.
        keyring.save();
        keyring.restart();
        assert.equal((await machine.verify(token)).version, version.version);
        assert.deepEqual(await machine.kept(), { copy: false, unsaved: [] });
        const grace = await machine.command((manager) => manager.verifying());
        const expected = [
          ACCOUNT,
          ...grace.slice(1).map(({ version }) => `${ACCOUNT}.v${version}`),
        ];
        assert.deepEqual(keyring.values.map(([account]) => account).sort(), expected.sort());
        for (const row of grace) await machine.command((manager) => manager.valueOf(row));
      });
    }
  }

  for (const step of ROTATION_STEPS) {
    for (const restarts of sample([1, 2], 2, 1)) {
      Deno.test(`a keyring that ${how} is started again ${restarts} times when a rotation ends after "${step}"`, async () => {
        using machine = new Machine(obeys);
        await machine.command((manager) => manager.getOrCreate());
        machine.keyring.save();
        const stop = (at: string) => {
          if (at !== step) return;
          throw new Error("stopped");
        };
        await machine.command((manager) => manager.rotate({ graceMs: 60_000, onStep: stop }))
          .catch((error) => assert.equal(error.message, "stopped"));
        for (let i = 0; i < restarts; i++) {
          machine.keyring.restart();
          const { version } = await machine.command((manager) => manager.get());
          const committed = ["commit", "publish"].includes(step);
          assert.equal(version.state, "current");
          if (committed) assert.equal(version.version, 2);
          for (const row of await machine.command((manager) => manager.verifying())) {
            await machine.command((manager) => manager.valueOf(row));
          }
        }
      });
    }
  }

  for (const fault of ["fail", "hang", "fail after"] as const) {
    Deno.test(`a keyring that ${how}: "${fault}" at every call of a rotation, and it ends there`, async () => {
      for (let n = 1, reached = true; reached; n++) {
        using machine = new Machine(obeys);
        const { keyring } = machine;
        await machine.command((manager) => manager.getOrCreate());
        keyring.save();
        const old = await machine.token();
        keyring.break(fault, n);
        const outcome = await machine.command((manager) => manager.rotate()).catch((error) =>
          error
        );
        reached = keyring.calls >= n;
        keyring.break("none", 0);
        keyring.restart();
        machine.environment.advance(61_000);
        const { version } = await machine.command((manager) => manager.get());
        if (outcome instanceof Error) assert.ok(isRekeyError(outcome), String(outcome.stack));
        else assert.equal(version.version, outcome.version.version, `call ${n}`);
        if (version.version === 1) continue;
        await assert.rejects(machine.verify(old), (error) => isRekeyError(error, "retired_kid"));
      }
    });
  }
}

Deno.test("a keyring that could not be told when it took a secret, and was started again since", async () => {
  using machine = new Machine(true);
  const { keyring } = machine;
  keyring.isKnown = false;
  await machine.command((manager) => manager.getOrCreate());
  const token = await machine.token();
  keyring.restart();
  keyring.isKnown = true;
  for (let n = 0; n < 3; n++) {
    assert.equal((await machine.verify(token)).version, 1, `command ${n}`);
  }
  assert.equal(keyring.items.has(ACCOUNT), true);
  assert.deepEqual(await machine.kept(), { copy: false, unsaved: [] });
});

Deno.test("a keyring that ends before it saves, and a rotation that ends after its commit", async () => {
  using machine = new Machine(true);
  const { keyring } = machine;
  await machine.command((manager) => manager.getOrCreate());
  keyring.endsAtSave = true;
  const onStep = (at: string) => {
    if (at === "commit") throw new Error("stopped");
  };
  await machine.command((manager) => manager.rotate({ onStep }))
    .catch((error) => assert.equal(error.message, "stopped"));
  for (let n = 0; n < 3; n++) {
    const { version } = await machine.command((manager) => manager.get());
    assert.equal(version.version, 2, `command ${n}`);
  }
  assert.deepEqual(await machine.kept(), { copy: false, unsaved: [] });
});

Deno.test("what a keyring was told to delete and has again is deleted by the next command", async () => {
  using machine = new Machine(false);
  const { keyring } = machine;
  await machine.command((manager) => manager.getOrCreate());
  await machine.command((manager) => manager.rotate({ graceMs: 60_000 }));
  keyring.save();
  await machine.command((manager) => manager.revoke());
  keyring.restart();
  assert.equal(keyring.values.length, 2);
  await machine.command((manager) => manager.get());
  assert.deepEqual(keyring.values.map(([account]) => account), [ACCOUNT]);
});

Deno.test("a copy that is there for what may not be saved does not stand in for a locked keyring", async () => {
  using machine = new Machine(false);
  await machine.command((manager) => manager.getOrCreate());
  machine.keyring.break("fail", 1);
  await assert.rejects(
    machine.command((manager) => manager.get()),
    (error) => isRekeyError(error, "keyring_locked"),
  );
});

Deno.test("another program's empty keyring gets no secret that the usual one may not have saved", async () => {
  using machine = new Machine(false);
  const { keyring } = machine;
  keyring.kind = "keepassxc";
  await machine.command((manager) => manager.getOrCreate());
  const token = await machine.token();
  keyring.restart();
  keyring.kind = "gnome-keyring";
  assert.equal((await machine.verify(token)).version, 1);
  assert.equal(keyring.values.length, 0);
  keyring.restart();
  keyring.kind = "keepassxc";
  assert.equal((await machine.verify(token)).version, 1);
  assert.deepEqual(keyring.values.map(([account]) => account), [ACCOUNT]);
});

Deno.test("--mirror off: no copy, and whoever rotates is told", async () => {
  for (const obeys of [false, true]) {
    using machine = new Machine(obeys, "off");
    const risk = () =>
      machine.command(async (manager) => {
        const { installation } = await manager.open();
        return { warnings: warningsOfRisk(installation).length, at: isAtRisk(installation) };
      });
    const expected = { warnings: obeys ? 0 : 1, at: !obeys };
    await machine.command((manager) => manager.getOrCreate());
    assert.deepEqual(await risk(), expected);
    await machine.command((manager) => manager.rotate());
    assert.deepEqual(await risk(), expected);
    assert.equal((await machine.kept()).copy, false);
    machine.keyring.save();
    machine.keyring.restart();
    await machine.command((manager) => manager.get());
    assert.deepEqual(await risk(), { warnings: 0, at: false });
  }
});

Deno.test("a damaged row of an unsaved value makes the database damaged, and no copy is deleted", async () => {
  for (
    const text of ["", "null", "{}", '{"versions":1,"copies":[]}', '{"versions":[],"copies":["x"]}']
  ) {
    using machine = new Machine(false);
    await machine.command((manager) => manager.getOrCreate());
    await machine.command(async (manager) => {
      const { installation, version } = await manager.open();
      installation.database.transaction(() => installation.meta.set("unsaved", text));
      assert.throws(
        () => unsaved(installation),
        (error) => isRekeyError(error, "database_damaged"),
      );
      assert.ok(installation.sealed.sealedValue(sealedSlot(version)) !== undefined);
    });
  }
});
