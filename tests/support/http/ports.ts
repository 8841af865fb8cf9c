// Below what a system gives to connections and to listeners without a number of their own, here and in other tests: such a
// port could be taken between this look and the start of the server that it is for.
const [FIRST, LAST] = [12_000, 32_000];

const given = new Set<number>();

/** A port of this machine that is free now. */
export function freePort(): number {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (!given.has(port) && isFree(port)) {
      given.add(port);
      return port;
    }
  }
}

/** Several free ports, all different. */
export function freePorts(count: number): number[] {
  return Array.from({ length: count }, freePort);
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}
