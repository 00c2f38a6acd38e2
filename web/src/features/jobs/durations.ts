// Durations as people write them: 90, 90s, 15m, 1h30m.

const UNITS: readonly [letter: string, seconds: number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

/** Whole seconds; null when the text is no duration. */
export function secondsOf(text: string): number | null {
  const trimmed = text.trim().toLowerCase();
  if (/^\d{1,9}$/.test(trimmed)) return Number(trimmed);
  if (!/^(?:\d{1,9}\s*[dhms]\s*)+$/.test(trimmed)) return null;
  let sum = 0;
  for (const [, count, letter] of trimmed.matchAll(/(\d+)\s*([dhms])/g)) {
    sum += Number(count) * (UNITS.find(([each]) => each === letter)?.[1] ?? 1);
  }
  return sum;
}

export function durationText(seconds: number): string {
  if (seconds === 0) return '0';
  let rest = seconds;
  let text = '';
  for (const [letter, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${letter}`;
    rest -= count * size;
  }
  return text;
}

/** Durations between commas; null when one of them is none. */
export function secondsList(text: string): number[] | null {
  const parts = text.split(',').map((part) => part.trim());
  const all = parts.filter((part) => part !== '').map(secondsOf);
  return all.includes(null) ? null : (all as number[]);
}

/** A whole number, not negative; null when the text is none. */
export const numberOf = (text: string): number | null =>
  /^\d{1,9}$/.test(text.trim()) ? Number(text.trim()) : null;
