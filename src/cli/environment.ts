/** The environment variables that say where the KEK comes from. */
export const KEK_VARIABLES = [
  "REKEY_KEK_FILE",
  "REKEY_KEK_COMMAND",
  "REKEY_PASSPHRASE_FILE",
  "REKEY_PASSPHRASE_COMMAND",
] as const;

/** Those that say where etcd is, and by what it is opened. */
export const ETCD_VARIABLES = [
  "REKEY_ETCD_ENDPOINTS",
  "REKEY_ETCD_PREFIX",
  "REKEY_ETCD_CA",
  "REKEY_ETCD_CERT",
  "REKEY_ETCD_KEY",
  "REKEY_ETCD_USER",
  "REKEY_ETCD_PASSWORD_FILE",
] as const;

// A proxy would read what is not encrypted, and could answer in etcd's place.
const NEAR = "localhost,127.0.0.1,::1";

let callersValue: string | undefined;
let isChanged = false;

/** Keeps what goes to this machine from going by a proxy; the runtime looks at the environment for that. */
export function withoutProxyHere(): void {
  const others = Deno.env.get("NO_PROXY") || Deno.env.get("no_proxy");
  // It is the process's: another thread may have set it.
  if (others?.endsWith(NEAR)) return;
  callersValue = Deno.env.get("NO_PROXY");
  isChanged = true;
  Deno.env.set("NO_PROXY", others ? `${others},${NEAR}` : NEAR);
}

/** The variable as the caller had it, if this program has changed it. */
function callersNoProxy(): [string, string | undefined][] {
  return isChanged ? [["NO_PROXY", callersValue]] : [];
}

let callersUmask: number | undefined;

/** From here on everything that rekey makes is its user's alone, whatever the shell's umask is. */
export function makePrivately(): void {
  callersUmask = Deno.umask(0o077);
}

/** Does something with the umask that rekey was started with. */
export function withCallersUmask<T>(work: () => T): T {
  if (callersUmask === undefined) return work();
  const own = Deno.umask(callersUmask);
  try {
    return work();
  } finally {
    Deno.umask(own);
  }
}

/** What opens the KEK, and etcd, is rekey's: a program is given one secret, and not what opens all of them. */
const OWN: readonly string[] = [...KEK_VARIABLES, ...ETCD_VARIABLES];

/** Does something with the umask and the environment that a program of the caller's is to have. */
export function inCallersEnvironment<T>(work: () => T): T {
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
