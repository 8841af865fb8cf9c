let callersUmask: number | undefined;

/** Sets the umask to 077: files that rekey creates are private to its user. */
export function setPrivateUmask(): void {
  callersUmask = Deno.umask(0o077);
}

/** Calls `work` (which starts a program) with the umask that rekey was started with. */
export function withCallersUmask<T>(work: () => T): T {
  if (callersUmask === undefined) return work();
  const own = Deno.umask(callersUmask);
  try {
    return work();
  } finally {
    Deno.umask(own);
  }
}
