import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import process from "node:process";
import { appNamed } from "../../src/core/app.ts";
import { Secret } from "../../src/core/secret.ts";
import { EtcdClient } from "../../src/etcd/client.ts";
import { EtcdStore } from "../../src/store/sealed/sealed_stores.ts";
import { Installation } from "../../src/store/installation.ts";
import { addon } from "../support/executables/addon.ts";
import type { KeyringAddon } from "../../src/store/keyring/addon.ts";
import { KeyringStore } from "../../src/store/keyring/keyring_store.ts";
import { currentSlot, numberedSlot, type SecretStore, type Slot } from "../../src/core/location.ts";
import { testEnvironment } from "../support/store/environment.ts";
import { Etcd } from "../support/cluster/etcd.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

interface Opened {
  readonly store: SecretStore;
  /** Whether a version's two slots are two places. */
  readonly apart: boolean;
  readonly close: () => Promise<void>;
}

const STORES: Record<string, () => Promise<Opened>> = {
  keyring: async () => {
    const box = await KeyringBox.start();
    // The addon reads the real environment.
    Deno.env.set("DBUS_SESSION_BUS_ADDRESS", box.env.DBUS_SESSION_BUS_ADDRESS!);
    const store = new KeyringStore(appNamed("contract"), builtAddon);
    return { store, apart: true, close: () => box[Symbol.asyncDispose]() };
  },
  database: async () => {
    const environment = testEnvironment();
    const installation = Installation.open(environment);
    await installation.prepare({ alg: "HS512", keyForm: "text", store: "database" });
    const close = () => {
      installation.close();
      environment[Symbol.dispose]();
      return Promise.resolve();
    };
    return { store: installation.sealed, apart: true, close };
  },
  etcd: async () => {
    const etcd = await Etcd.start(1);
    const client = new EtcdClient({ endpoints: [etcd.endpoints], prefix: "/rekey/" });
    const kek = {
      id: "contract",
      key: createSecretKey(randomBytes(32)),
      source: "test",
      generated: false,
    };
    const store = new EtcdStore(client, "contract", () => Promise.resolve(kek));
    return { store, apart: false, close: () => etcd[Symbol.asyncDispose]() };
  },
};

function builtAddon(): KeyringAddon {
  const module = { exports: {} as KeyringAddon };
  const path = Deno.makeTempFileSync({ prefix: "rekey-test-", suffix: ".node" });
  Deno.writeFileSync(path, addon());
  process.dlopen(module, path);
  Deno.removeSync(path);
  return module.exports;
}

const slots = (version: number, secret: Secret): [Slot, Slot] => {
  const named = { version, kid: secret.kid };
  return [currentSlot(named), numberedSlot(named)];
};

for (const [name, open] of Object.entries(STORES)) {
  Deno.test(`the ${name} store keeps the contract of every store`, async (t) => {
    const { store, apart, close } = await open();
    const [one, two, three] = [Secret.generate(), Secret.generate(), Secret.generate()];
    const [current, numbered] = slots(1, one);
    await t.step("it names its location", () => assert.equal(store.location, name));
    await t.step("a missing value is null, not an error", async () => {
      assert.equal(await store.read(current), null);
      assert.equal(await store.read(numbered), null);
    });
    await t.step("removing a missing value answers false", async () => {
      assert.equal(await store.remove(numbered), false);
    });
    await t.step("a value that is written is read back from its own slot only", async () => {
      await store.write(numbered, one);
      assert.equal((await store.read(numbered))?.reveal(), one.reveal());
      if (apart) assert.equal(await store.read(current), null);
    });
    await t.step("writing again replaces the value", async () => {
      const [, again] = slots(1, two);
      await store.write(again, two);
      assert.equal((await store.read(again))?.reveal(), two.reveal());
    });
    await t.step("slots of other versions are apart", async () => {
      const [, other] = slots(2, three);
      assert.equal(await store.read(other), null);
      await store.write(other, three);
      await store.write(current, one);
      assert.equal((await store.read(current))?.kid, one.kid);
      assert.equal(await store.remove(other), true);
      assert.equal((await store.read(current))?.kid, one.kid);
    });
    await t.step("removing a value answers true, once", async () => {
      assert.equal(await store.remove(current), true);
      assert.equal(await store.remove(current), false);
      assert.equal(await store.read(current), null);
    });
    await close();
  });
}
