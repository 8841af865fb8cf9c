/** The library, loaded when it is needed: only a server pays for it. */
export async function prometheus() {
  return (await import("../libraries/prom_client.ts")).default;
}

export type Prometheus = Awaited<ReturnType<typeof prometheus>>;
