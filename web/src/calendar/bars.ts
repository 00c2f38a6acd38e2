// A lane's day as a drawing: one path for each tone, however many bars there are.
import { type Bar, barTotal } from './density';

export const BAR_HEIGHT = 20;
export const BAR_PITCH = 4;

/** A problem is never drawn lower than this, however many slots went well beside it. */
const LEAST_PROBLEM = 7;
const LEAST = 4;

export type Tone = 'ok' | 'off' | 'run' | 'miss' | 'bad' | 'next';

const rectangle = (x: number, y: number, width: number, height: number) =>
  `M${x.toFixed(2)} ${y.toFixed(2)}h${width.toFixed(2)}v${height.toFixed(2)}h${(-width).toFixed(2)}z`;

/** From bottom to top: what went well, then what did not. */
function stack(bar: Bar, most: number): { tone: Tone; size: number }[] {
  const scale = BAR_HEIGHT / most;
  const all: readonly (readonly [Tone, number, number])[] = [
    ['ok', bar.done, 0],
    ['off', bar.off, 0],
    ['run', bar.running, LEAST],
    ['miss', bar.missed, LEAST_PROBLEM],
    ['bad', bar.failed, LEAST_PROBLEM],
  ];
  const parts = all
    .filter(([, count]) => count > 0)
    .map(([tone, count, least]) => ({ tone, size: Math.max(least, count * scale) }));
  const sum = parts.reduce((total, part) => total + part.size, 0);
  const fit = Math.min(1, BAR_HEIGHT / sum) * Math.max(1, LEAST / sum);
  return parts.map(({ tone, size }) => ({ tone, size: size * fit }));
}

/** What to draw in each tone. What has been and what is to come are never one bar. */
export function barPaths(bars: readonly (Bar | undefined)[], most: number): [Tone, string][] {
  const paths = new Map<Tone, string>();
  const draw = (tone: Tone, x: number, y: number, width: number, height: number) =>
    paths.set(tone, (paths.get(tone) ?? '') + rectangle(x, y, width, height));
  for (const [index, bar] of bars.entries()) {
    if (!bar) continue;
    const isSplit = bar.ahead > 0 && barTotal(bar) > bar.ahead;
    const width = isSplit ? 1.5 : 3.2;
    const x = index * BAR_PITCH + 0.4;
    let y = BAR_HEIGHT;
    for (const { tone, size } of stack(bar, most)) {
      y -= size;
      draw(tone, x, y, width, size);
    }
    if (bar.ahead > 0) {
      const height = Math.max(LEAST, (bar.ahead / most) * BAR_HEIGHT);
      draw('next', isSplit ? x + 1.7 : x, BAR_HEIGHT - height, width, height);
    }
  }
  return [...paths];
}
