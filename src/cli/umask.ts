let callers: number | undefined;

/** From here on everything that rekey makes is its user's alone, whatever the shell's umask is. */
export function makePrivately(): void {
  callers = Deno.umask(0o077);
}

/** Does something with the umask that rekey was started with. */
export function withCallersUmask<T>(work: () => T): T {
  if (callers === undefined) return work();
  const own = Deno.umask(callers);
  try {
    return work();
  } finally {
    Deno.umask(own);
  }
}
