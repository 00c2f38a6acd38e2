// Figures over time, as the charts want them: columns of numbers, the first one being time.
import type { Run } from '../../api/contract';

export type Columns = [number[], ...(number | null)[][]];

/** The value below which a share of the sorted numbers lies; null of none. */
export function quantile(sorted: readonly number[], share: number): number | null {
  if (sorted.length === 0) return null;
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
}

/** A pace of buckets that gives about `wanted` of them. */
export function paceFor(seconds: number, wanted: number): number {
  const paces = [10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400];
  return paces.find((pace) => seconds / pace <= wanted) ?? 86_400;
}

function buckets(runs: readonly Run[], pace: number): Map<number, Run[]> {
  const found = new Map<number, Run[]>();
  for (const run of runs) {
    const start = Math.floor(run.scheduled_at / pace) * pace;
    const bucket = found.get(start);
    if (bucket) bucket.push(run);
    else found.set(start, [run]);
  }
  return found;
}

/** Every bucket's start from the first to the last, so that a gap is seen as one. */
function axis(starts: readonly number[], pace: number): number[] {
  if (starts.length === 0) return [];
  const [first, last] = [Math.min(...starts), Math.max(...starts)];
  return Array.from({ length: Math.round((last - first) / pace) + 1 }, (_, i) => first + i * pace);
}

const lagOf = (run: Run) =>
  run.started_at === null || run.trigger !== 'schedule'
    ? null
    : Math.max(0, run.started_at - run.scheduled_at);

const sorted = (values: readonly (number | null)[]) =>
  values.filter((value) => value !== null).sort((a, b) => a - b);

/** How late slots started on their own, in seconds: median, 95th of a hundred, the latest. */
export function lagColumns(runs: readonly Run[], pace: number): Columns {
  const groups = buckets(runs, pace);
  const x = axis([...groups.keys()], pace);
  const lags = x.map((start) => sorted((groups.get(start) ?? []).map(lagOf)));
  return [
    x,
    lags.map((each) => quantile(each, 0.5)),
    lags.map((each) => quantile(each, 0.95)),
    lags.map((each) => each.at(-1) ?? null),
  ];
}

/** How many runs succeeded, and how many did not. */
export function outcomeColumns(runs: readonly Run[], pace: number): Columns {
  const groups = buckets(runs, pace);
  const x = axis([...groups.keys()], pace);
  const count = (wanted: (run: Run) => boolean) =>
    x.map((start) => (groups.get(start) ?? []).filter(wanted).length);
  const isFailure = ({ status }: Run) =>
    status === 'error' ||
    status === 'timeout' ||
    status === 'stalled' ||
    status === 'cancelled' ||
    status === 'interrupted';
  return [x, count((run) => run.status === 'success'), count(isFailure)];
}

/** How long runs took, in seconds: median and 95th of a hundred. */
export function durationColumns(runs: readonly Run[], pace: number): Columns {
  const groups = buckets(runs, pace);
  const x = axis([...groups.keys()], pace);
  const took = x.map((start) =>
    sorted((groups.get(start) ?? []).map((run) => run.duration_seconds)),
  );
  return [x, took.map((each) => quantile(each, 0.5)), took.map((each) => quantile(each, 0.95))];
}

/** The largest value is so far above the usual one that a linear axis would hide the rest. */
export function isSpread([, ...series]: Columns): boolean {
  const values = sorted(series.flat()).filter((value) => value > 0);
  const usual = quantile(values, 0.5);
  const largest = values.at(-1);
  return usual !== null && largest !== undefined && largest / usual > 50;
}

export interface Sample {
  at: number;
  seq: number;
  subscribers: number;
}

const MOST_SAMPLES = 720;

export const addSample = (samples: readonly Sample[], sample: Sample): Sample[] =>
  samples.at(-1)?.at === sample.at ? [...samples] : [...samples, sample].slice(-MOST_SAMPLES);

/** Events a second, between each two samples. */
export function rateColumns(samples: readonly Sample[]): Columns {
  const x: number[] = [];
  const rate: (number | null)[] = [];
  for (const [index, sample] of samples.entries()) {
    const before = samples[index - 1];
    if (!before) continue;
    const seconds = (sample.at - before.at) / 1000;
    x.push(sample.at / 1000);
    rate.push(seconds > 0 ? Math.max(0, sample.seq - before.seq) / seconds : null);
  }
  return [x, rate];
}
