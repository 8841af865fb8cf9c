import { callersNoProxy } from "../no_proxy.ts";
import { withCallersUmask } from "../umask.ts";
import { ETCD_VARIABLES, KEK_VARIABLES } from "../variables.ts";

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
