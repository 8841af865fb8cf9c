import { resolve } from "node:path";
import { withCallersUmask } from "../system/umask.ts";

/** Environment variables for the source of the KEK. */
export const KEK_VARIABLES = [
  "REKEY_KEK_FILE",
  "REKEY_KEK_COMMAND",
  "REKEY_PASSPHRASE_FILE",
  "REKEY_PASSPHRASE_COMMAND",
] as const;

/** Environment variables for the address and credentials of etcd. */
export const ETCD_VARIABLES = [
  "REKEY_ETCD_ENDPOINTS",
  "REKEY_ETCD_PREFIX",
  "REKEY_ETCD_CA",
  "REKEY_ETCD_CERT",
  "REKEY_ETCD_KEY",
  "REKEY_ETCD_USER",
  "REKEY_ETCD_PASSWORD_FILE",
] as const;

/** The settings to remember: paths are absolute, and the password stays in its file. */
export function etcdSettingsNamed(
  variable: (name: string) => string | undefined,
): Record<string, string> | undefined {
  if (variable("REKEY_ETCD_ENDPOINTS") === undefined) return undefined;
  const found = ETCD_VARIABLES.flatMap((name) => {
    const value = variable(name);
    return value === undefined ? [] : [[name, isPath(name) ? resolve(value) : value]];
  });
  return Object.fromEntries(found);
}

const isPath = (name: string) => /_(CA|CERT|KEY|FILE)$/.test(name);

// A proxy could read unencrypted requests, and could answer in place of etcd.
const LOOPBACK_HOSTS = "localhost,127.0.0.1,::1";

let callersValue: string | undefined;
let isChanged = false;

const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/** Where proxies are set: programs on this machine are asked about tokens, which no proxy may see. */
export function askWithoutProxy(): void {
  const names = PROXIES.flatMap((name) => [name, name.toLowerCase()]);
  if (names.some((name) => Deno.env.get(name))) withoutProxyHere();
}

/** Excludes this machine from HTTP proxies, by the variable NO_PROXY, which the runtime reads. */
export function withoutProxyHere(): void {
  const others = Deno.env.get("NO_PROXY") || Deno.env.get("no_proxy");
  // The environment belongs to the process: another thread may have set it.
  if (others?.endsWith(LOOPBACK_HOSTS)) return;
  callersValue = Deno.env.get("NO_PROXY");
  isChanged = true;
  Deno.env.set("NO_PROXY", others ? `${others},${LOOPBACK_HOSTS}` : LOOPBACK_HOSTS);
}

/** The caller's NO_PROXY, if this program has changed it. */
function callersNoProxy(): [string, string | undefined][] {
  return isChanged ? [["NO_PROXY", callersValue]] : [];
}

// Child programs must not inherit what opens the KEK and etcd.
const OWN: readonly string[] = [...KEK_VARIABLES, ...ETCD_VARIABLES];

/**
 * Calls `work` (which starts a program) with the caller's umask and environment, without rekey's own variables.
 *
 * @param absent names of other variables that the program must not inherit.
 */
export function inCallersEnvironment<T>(work: () => T, absent: readonly string[] = []): T {
  const without = [...OWN, ...absent].map((name) => [name, undefined] as const);
  const wanted = [...without, ...callersNoProxy()];
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
