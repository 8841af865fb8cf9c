/** What a {@linkcode rankScore} must not exceed: by chance it does so once in 1.7 million comparisons. */
export const SUSPICIOUS = 5;

// Interruptions make the slowest times; without them a small difference shows (as dudect does it).
const CROPS = [1, 0.5, 0.2];

/**
 * How far apart two series of times are: the largest of the Mann-Whitney scores of all of them, of their faster half
 * and of their fastest fifth, in standard deviations. It assumes nothing of how times are distributed, only that
 * chance decided which series was measured when.
 *
 * @param one in blocks, one after the other in time, and so is `other`. A time is compared with those of its own
 * block: a machine that is slower for a while is so for both series.
 */
export function rankScore(one: readonly number[][], other: readonly number[][]): number {
  const scores = CROPS.map((share) => {
    let [deviation, variance] = [0, 0];
    one.forEach((times, block) => {
      const compared = compare(...cropped(times, other[block]!, share));
      deviation += compared.deviation;
      variance += compared.variance;
    });
    return Math.abs(deviation) / Math.sqrt(variance);
  });
  return Math.max(...scores);
}

type Pair = [one: number[], other: number[]];

function cropped(one: readonly number[], other: readonly number[], share: number): Pair {
  const all = [...one, ...other].sort((a, b) => a - b);
  const limit = all[Math.ceil(share * all.length) - 1]!;
  const within = (time: number) => time <= limit;
  return [one.filter(within), other.filter(within)];
}

/** The Mann-Whitney statistic beside what chance makes of it; equal times share their ranks. */
function compare(one: readonly number[], other: readonly number[]) {
  const mine = one.map((time) => ({ time, weight: 1 }));
  const times = [...mine, ...other.map((time) => ({ time, weight: 0 }))]
    .sort((a, b) => a.time - b.time);
  let ranks = 0;
  for (let from = 0, to = 0; from < times.length; from = to) {
    while (to < times.length && times[to]!.time === times[from]!.time) to++;
    for (let at = from; at < to; at++) ranks += times[at]!.weight * (from + to + 1) / 2;
  }
  const [n, m] = [one.length, other.length];
  return { deviation: ranks - n * (n + m + 1) / 2, variance: n * m * (n + m + 1) / 12 };
}

/** Whether every time of one series is shorter than every time of the other one. */
export function areApart(one: readonly number[], other: readonly number[]): boolean {
  return Math.max(...one) < Math.min(...other) || Math.max(...other) < Math.min(...one);
}
