const EVERY_MS = 10;

// A timer of so many milliseconds that takes longer than this has waited for the machine.
const MOST_MS = 2 * EVERY_MS;

/**
 * How long work takes by a clock that stands still while this process does, in milliseconds: a machine that is busy with
 * something else, or that stops for a while, adds next to nothing. For work of this process and the timers in it.
 */
export async function ownTime(work: () => Promise<unknown>): Promise<number> {
  let [passed, before] = [0, performance.now()];
  const tick = () => {
    const now = performance.now();
    passed += Math.min(now - before, MOST_MS);
    before = now;
  };
  const ticking = setInterval(tick, EVERY_MS);
  try {
    await work();
  } finally {
    clearInterval(ticking);
  }
  tick();
  return passed;
}
