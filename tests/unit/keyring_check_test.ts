import assert from "node:assert/strict";
import { keyringCheck } from "../../src/doctor/checks/keyring.ts";
import type { Finding, OpenDoctorContext } from "../../src/doctor/findings.ts";
import { keyringError } from "../../src/store/keyring/errors.ts";
import { linux } from "../../src/system/linux.ts";
import { macos } from "../../src/system/macos.ts";
import type { System } from "../../src/system/system.ts";
import { windows } from "../../src/system/windows.ts";

const SYSTEMS = { linux, darwin: macos, windows };

/** An installation whose secret is in a keyring that fails so, entered by ssh. */
function context(os: System["os"], why: string): OpenDoctorContext {
  const keyring = {
    reach: () => Promise.reject(keyringError(new Error(why), os)),
    provider: () => Promise.resolve(undefined),
  };
  return {
    environment: { app: { name: "shop", service: "shop" } },
    variable: (name: string) => ({ SSH_CONNECTION: "1" })[name],
    installation: {
      keyring,
      store: "keyring",
      versions: { current: () => ({ location: "keyring", version: 1, kid: "k" }) },
      expectUsualKeyring: () => {},
    },
  } as unknown as OpenDoctorContext;
}

const TROUBLES: [os: System["os"], why: string, code: string, command: string | null][] = [
  ["darwin", "User interaction is not allowed.", "keyring_locked", "security unlock-keychain"],
  [
    "darwin",
    "A default keychain could not be found.",
    "keyring_absent",
    "security default-keychain",
  ],
  ["darwin", "Something else", "keyring_failed", "security show-keychain-info"],
  ["windows", "Windows ERROR_NO_SUCH_LOGON_SESSION", "keyring_absent", null],
  ["windows", "Windows error code 1", "keyring_failed", "cmdkey /list"],
  ["linux", "failed to connect", "bus_missing", "loginctl enable-linger"],
];

for (const [os, why, code, command] of TROUBLES) {
  Deno.test(`doctor: on ${os} "${why}" is ${code}, with that system's command`, async () => {
    const [finding, ...more] = await keyringCheck(context(os, why), SYSTEMS[os]) as Finding[];
    assert.deepEqual([finding!.code, finding!.command, more], [code, command, []]);
    if (os !== "linux") assert.doesNotMatch(JSON.stringify(finding), /bus|kernel|gnome|systemctl/i);
  });
}
