import { describe, expect, it } from 'vitest';
import { append, EMPTY_LOG } from './ring';

const chunk = (lines: string[], part = {}) => ({ lines, truncated: false, reset: false, ...part });
const texts = (log: typeof EMPTY_LOG) => log.lines.map((line) => line.text);

describe('a followed log', () => {
  it('goes on where it left off', () => {
    const log = append(append(EMPTY_LOG, chunk(['a', 'b'])), chunk(['c']));
    expect(texts(log)).toEqual(['a', 'b', 'c']);
    expect(log.lines.map((line) => line.number)).toEqual([1, 2, 3]);
  });

  it('completes a line that was not finished', () => {
    const log = append(
      append(EMPTY_LOG, chunk(['a', 'hal'], { partial: true })),
      chunk(['f', 'c']),
    );
    expect(texts(log)).toEqual(['a', 'half', 'c']);
  });

  it('never holds more than its bound, and says that it let lines go', () => {
    let log = EMPTY_LOG;
    for (let i = 0; i < 50; i++) log = append(log, chunk([`${i}`, `${i}+`]), 10);
    expect(log.lines).toHaveLength(10);
    expect(log.lines.at(-1)).toEqual({ number: 100, text: '49+' });
    expect(log.is_cut).toBe(true);
  });

  it('starts anew when the file was replaced', () => {
    const log = append(append(EMPTY_LOG, chunk(['a'])), chunk(['z'], { reset: true }));
    expect(texts(log)).toEqual(['z']);
  });

  it('stays the same object when nothing came', () => {
    const log = append(EMPTY_LOG, chunk(['a']));
    expect(append(log, chunk([]))).toBe(log);
  });
});
