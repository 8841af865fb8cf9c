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
export function callersNoProxy(): [string, string | undefined][] {
  return isChanged ? [["NO_PROXY", callersValue]] : [];
}
