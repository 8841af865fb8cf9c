import { callersNoProxy } from "../no_proxy.ts";
import { withCallersUmask } from "../umask.ts";

/** What opens the KEK, and etcd, is rekey's: a program is given one secret, and not what opens all of them. */
const OWN = [
  "REKEY_KEK_FILE",
  "REKEY_KEK_COMMAND",
  "REKEY_PASSPHRASE_FILE",
  "REKEY_PASSPHRASE_COMMAND",
  "REKEY_ETCD_ENDPOINTS",
  "REKEY_ETCD_PREFIX",
  "REKEY_ETCD_CA",
  "REKEY_ETCD_CERT",
  "REKEY_ETCD_KEY",
  "REKEY_ETCD_USER",
  "REKEY_ETCD_PASSWORD_FILE",
];

/** Does something with the umask and the environment that a program of the caller's is to have. */
export function inCallersSurroundings<T>(work: () => T): T {
  const wanted = [...OWN.map((name) => [name, undefined] as const), ...callersNoProxy()];
  const own = wanted.map(([name]) => [name, Deno.env.get(name)] as const);
  wanted.forEach(setTo);
  try {
    return withCallersUmask(work);
  } finally {
    own.forEach(setTo);
  }
}

function setTo([name, value]: readonly [string, string | undefined]): void {
  if (value === undefined) Deno.env.delete(name);
  else Deno.env.set(name, value);
}
