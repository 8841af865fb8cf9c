/** Sends a signal to a program; nothing when it has just ended, or has become another user's, as sudo does. */
export function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors;
    const expected = [TypeError, NotFound, PermissionDenied];
    if (!expected.some((kind) => error instanceof kind)) throw error;
  }
}
