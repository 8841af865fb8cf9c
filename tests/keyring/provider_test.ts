import assert from "node:assert/strict";
import { overBus } from "../../src/store/keyring/secret_service/dbus_connection.ts";
import { findProvider } from "../../src/store/keyring/secret_service/find_provider.ts";
import { ownBus } from "../../src/store/keyring/secret_service/session_bus.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

Deno.test("the bus tells which program provides the Secret Service, and each run of it apart", async () => {
  await using box = await KeyringBox.start();
  const address = box.env.DBUS_SESSION_BUS_ADDRESS;
  const socket = ownBus({ address, runtimeFolder: undefined })!;
  const find = () => overBus(socket, 5_000, findProvider);
  const first = await find();
  assert.equal(first?.kind, "gnome-keyring");
  assert.deepEqual(await find(), first);
  // A stopped one is there all the same: the bus answers for it.
  box.stop();
  assert.deepEqual(await find(), first);
  await box.kill();
  assert.equal(await find(), undefined);
  await box.unlock();
  const second = await find();
  assert.equal(second?.kind, "gnome-keyring");
  assert.notEqual(second.incarnation, first.incarnation);
});
