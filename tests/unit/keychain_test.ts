import assert from "node:assert/strict";
import { appNamed } from "../../src/core/app.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import { currentSlot } from "../../src/core/location.ts";
import { KEYRING_UNAVAILABLE } from "../../src/store/keyring/codes.ts";
import { keyringError, keyringRefusal, REMEDIES } from "../../src/store/keyring/errors.ts";
import { type AskState, keychain, keychainState } from "../../src/store/keyring/keychain.ts";
import { keyringPlatform, timeoutOf } from "../../src/store/keyring/platform.ts";
import { KeyringStore } from "../../src/store/keyring/keyring_store.ts";
import { FakeKeyring } from "../support/keyring/fake_keyring.ts";

/** Keychain Services with a keychain in some state: of its bits the first one says that it is unlocked. */
const telling = (state: number, status = 0): AskState => (answer) => (answer[0] = state, status);
const TIMEOUT = keyringRefusal("keyring_timeout", undefined, "darwin");
const LOCKED = telling(0b110);
const OPEN = telling(0b111);
const NONE = telling(0, -25307);
const SILENT = telling(0, -4);

Deno.test("the state of a keychain is read from the bits and statuses of Keychain Services", () => {
  const states = [LOCKED, OPEN, NONE, telling(0, -25294), SILENT].map(keychainState);
  assert.deepEqual(states, ["locked", "open", "absent", "absent", "unknown"]);
});

Deno.test({
  name: "where there are no Keychain Services their state is unknown",
  ignore: Deno.build.os === "darwin",
  fn: () => assert.equal(keychainState(), "unknown"),
});

// The texts that go with the numbers of <Security/SecBase.h>, behind the words of the addon's library.
const TEXTS: [text: string, code: string][] = [
  ["Platform failure: User interaction is not allowed.", "keyring_locked"],
  [
    "Platform failure: User interaction is required, but is currently not allowed.",
    "keyring_locked",
  ],
  ["Platform failure: The user name or passphrase you entered is not correct.", "keyring_denied"],
  ["Platform failure: User canceled the operation.", "keyring_denied"],
  ["Platform failure: A required entitlement isn't present.", "keyring_denied"],
  ["Couldn't access platform storage: This keychain cannot be modified.", "keyring_denied"],
  [
    "Couldn't access platform storage: The specified keychain could not be found.",
    "keyring_absent",
  ],
  ["Platform failure: A default keychain could not be found.", "keyring_absent"],
  [
    "Couldn't access platform storage: No keychain is available. You may need to restart your computer.",
    "keyring_absent",
  ],
  ["Platform failure: The specified item already exists in the keychain.", "keyring_failed"],
  ["Platform failure: Benutzerinteraktion ist nicht erlaubt.", "keyring_failed"],
  ["Couldn't access platform storage: Windows ERROR_NO_SUCH_LOGON_SESSION", "keyring_absent"],
  ["Platform failure: Windows error code 5", "keyring_denied"],
  ["Platform failure: Windows error code 50", "keyring_failed"],
];

for (const [text, code] of TEXTS) {
  Deno.test(`${code} is what "${text}" means`, () => {
    assert.equal(keyringError(new Error(text)).code, code);
  });
}

Deno.test("each system's hints name its own means, and no other's", () => {
  const foreign = {
    darwin: /gnome|KWallet|DBUS|secret-tool|Credential|cmdkey/i,
    windows: /gnome|KWallet|DBUS|secret-tool|keychain|security /i,
    linux: /keychain|security |Credential|cmdkey/i,
  };
  for (const [os, others] of Object.entries(foreign)) {
    for (const code of [...KEYRING_UNAVAILABLE, "secret_damaged"] as const) {
      const { hint, command = "" } = REMEDIES[os as keyof typeof foreign][code];
      assert.doesNotMatch(`${hint} ${command}`, others, `${os}: ${code}`);
    }
  }
  const locked = keyringError(new Error("User interaction is not allowed."), "darwin");
  assert.match(locked.hint!, /`security unlock-keychain`/);
});

Deno.test("a locked keychain is said to be locked, whatever language its error is in, or when it waits", async () => {
  const cause = new Error("Platform failure: Benutzerinteraktion ist nicht erlaubt.");
  const { diagnose } = keychain(LOCKED);
  for (const error of [keyringError(cause, "darwin"), TIMEOUT]) {
    const told = await diagnose!(error);
    assert.equal(told.code, "keyring_locked");
    assert.equal(told.cause, error.cause);
  }
  assert.equal(
    (await keychain(NONE).diagnose(TIMEOUT)).code,
    "keyring_absent",
  );
});

Deno.test("what is wrong with a value, or with an open keychain, stays what it is", async () => {
  const damaged = keyringError(new Error("Secret data is malformed: "), "darwin");
  assert.equal((await keychain(LOCKED).diagnose(damaged)).code, "secret_damaged");
  const failed = keyringError(new Error("Platform failure: Das ist schief gegangen."), "darwin");
  for (const ask of [OPEN, SILENT]) {
    assert.equal(await keychain(ask).diagnose(failed), failed);
  }
});

Deno.test("a check does not write to a keychain that would ask its user", async () => {
  const item = { service: "AGI Workforce", account: "a" };
  const look = (ask: AskState) => keychain(ask).look(item, 100);
  await assert.rejects(look(LOCKED), (error) => isRekeyError(error, "keyring_locked"));
  await assert.rejects(look(NONE), (error) => isRekeyError(error, "keyring_absent"));
  await look(OPEN);
  // A look that fails counts as no look: the call itself will tell.
  await look(SILENT);
  const conditions = await Promise.all(
    [LOCKED, OPEN].map((ask) => keychain(ask).condition("", 9)),
  );
  assert.deepEqual(conditions, ["locked", "unknown"]);
});

Deno.test("who is at a terminal has a minute for macOS' dialog; a job, a server and other systems do not wait so long", () => {
  const [macos, windows] = (["darwin", "windows"] as const)
    .map((os) => keyringPlatform(os, () => assert.fail("there is no session bus")));
  assert.equal(timeoutOf(macos!, undefined, true), 60_000);
  assert.equal(timeoutOf(macos!, undefined, false), 3_000);
  assert.equal(timeoutOf(windows!, undefined, true), 3_000);
  assert.equal(timeoutOf(macos!, 500, true), 500);
});

for (const os of ["darwin", "windows"] as const) {
  Deno.test(`on ${os} the keyring is used under the guide's names, and no session bus is looked for`, async () => {
    const keyring = new FakeKeyring();
    const ways = keyringPlatform(os, () => assert.fail("there is no session bus"));
    assert.deepEqual([ways.saving, ways.readQuickly], [undefined, undefined]);
    const names: string[] = [];
    const { AsyncEntry } = keyring.addon();
    class Named extends AsyncEntry {
      constructor(service: string, account: string) {
        super(service, account);
        names.push(`${service}/${account}`);
      }
    }
    const load = () => ways.load(() => ({ AsyncEntry: Named }));
    const store = new KeyringStore(
      appNamed("agiworkforce"),
      load,
      200,
      ways,
    );
    const secret = Secret.generate();
    const slot = currentSlot({ version: 1, kid: secret.kid });
    await store.probe();
    await store.write(slot, secret);
    assert.ok((await store.read(slot))?.equals(secret));
    assert.deepEqual(await store.settle(), { saved: true, provider: undefined });
    assert.ok(await store.remove(slot));
    assert.deepEqual([...new Set(names)], [
      "AGI Workforce/agiworkforce.jwt_secret.probe",
      "AGI Workforce/agiworkforce.jwt_secret",
    ]);
  });
}
