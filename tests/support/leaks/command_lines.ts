// How often they are looked at while a command runs: a rekey takes 50 ms.
const EVERY_MS = 15;

const seen = new Set<string>();
let watchers = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/**
 * Collects the command line of every process of the machine, as every user can see it, until the answered
 * function is called. Callers at the same time share one look.
 */
export function watchCommandLines(): () => void {
  if (watchers++ === 0) timer = setInterval(look, EVERY_MS);
  return () => {
    if (--watchers === 0) clearInterval(timer);
  };
}

/** The command lines that were seen so far. */
export function seenCommandLines(): ReadonlySet<string> {
  return seen;
}

function look(): void {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      seen.add(Deno.readTextFileSync(`/proc/${name}/cmdline`));
    } catch {
      // It has ended since.
    }
  }
}
