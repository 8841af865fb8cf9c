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
