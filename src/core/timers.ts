/**
 * Lets a program end although a timer still runs. In a bundle that holds parts of Node's the runtime's `setTimeout`
 * may answer Node's object, which `Deno.unrefTimer` throws at.
 */
export function unrefTimer(timer: unknown): void {
  if (typeof timer === "number") Deno.unrefTimer(timer);
  else (timer as { unref(): void }).unref();
}
