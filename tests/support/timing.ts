/** What a {@linkcode rankScore} must not exceed: by chance it does so once in 1.7 million comparisons. */
export const SUSPICIOUS = 5;

// Interruptions make the slowest times; without them a small difference shows (as dudect does it).
const CROPS = [1, 0.5, 0.2];

/**
 * How far apart two series of times are: the largest of the Mann-Whitney scores of all of them, of their faster half
 * and of their fastest fifth, in standard deviations. It assumes nothing of how times are distributed, only that
 * chance decided which series was measured when.
 */
export function rankScore(one: readonly number[], other: readonly number[]): number {
  const all = [...one, ...other].sort((a, b) => a - b);
  const scores = CROPS.map((share) => {
    const limit = all[Math.ceil(share * all.length) - 1]!;
    const within = (time: number) => time <= limit;
    return Math.abs(mannWhitney(one.filter(within), other.filter(within)));
  });
  return Math.max(...scores);
}

/** The standard score of the Mann-Whitney U test; equal times share their ranks. */
export function mannWhitney(one: readonly number[], other: readonly number[]): number {
  const times = [
    ...one.map((time) => ({ time, mine: 1 })),
    ...other.map((time) => ({ time, mine: 0 })),
  ]
    .sort((a, b) => a.time - b.time);
  let ranks = 0;
  for (let from = 0; from < times.length;) {
    let to = from;
    while (to < times.length && times[to]!.time === times[from]!.time) to++;
    for (let at = from; at < to; at++) ranks += times[at]!.mine * (from + to + 1) / 2;
    from = to;
  }
  const [n, m] = [one.length, other.length];
  const mean = n * (n + m + 1) / 2;
  return (ranks - mean) / Math.sqrt(n * m * (n + m + 1) / 12);
}

/** Whether every time of one series is shorter than every time of the other one. */
export function areApart(one: readonly number[], other: readonly number[]): boolean {
  return Math.max(...one) < Math.min(...other) || Math.max(...other) < Math.min(...one);
}
