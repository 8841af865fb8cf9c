import { userInfo } from "node:os";
import { resolve } from "node:path";
import type { GlobalOptions } from "../context.ts";
import { ETCD_VARIABLES, KEK_VARIABLES } from "../environment.ts";

// By these a program without the operator's shell finds the same installation and the same KEK.
const NAMES = [
  "REKEY_APP",
  "REKEY_DATA_DIR",
  "REKEY_STORE",
  "REKEY_MIRROR",
  "REKEY_KEYRING_TIMEOUT",
  ...KEK_VARIABLES,
  ...ETCD_VARIABLES,
  "XDG_DATA_HOME",
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
];

const PATHS = [
  "REKEY_DATA_DIR",
  "REKEY_KEK_FILE",
  "REKEY_PASSPHRASE_FILE",
  "REKEY_ETCD_CA",
  "REKEY_ETCD_CERT",
  "REKEY_ETCD_KEY",
  "REKEY_ETCD_PASSWORD_FILE",
];

/** The environment that stands for flags and variables of this command. */
export function variablesFor(
  { app, dataDir, store, mirror, kekFile }: GlobalOptions,
  variable: (name: string) => string | undefined,
): Record<string, string> {
  const flags: Record<string, string | undefined> = {
    REKEY_APP: app,
    REKEY_DATA_DIR: dataDir,
    REKEY_STORE: store,
    REKEY_MIRROR: mirror,
    REKEY_KEK_FILE: kekFile,
  };
  // A scheduler gives a program its user's own home folder.
  const home = variable("HOME");
  const moved = home !== undefined && home !== userInfo().homedir ? { HOME: home } : {};
  const found = NAMES.flatMap((name) => {
    const value = flags[name] ?? variable(name);
    if (value === undefined) return [];
    return [[name, PATHS.includes(name) ? resolve(value) : value]];
  });
  return { ...Object.fromEntries(found), ...moved };
}
