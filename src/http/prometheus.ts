import { createRequire } from "node:module";

/** The library, loaded when it is needed: only a server pays for it. */
export async function prometheus() {
  // It is CommonJS and asks for the runtime's own modules with `require`, which a bundle does not have.
  const scope = globalThis as { require?: unknown };
  scope.require ??= createRequire(import.meta.url);
  return (await import("prom-client")).default;
}

export type Prometheus = Awaited<ReturnType<typeof prometheus>>;
