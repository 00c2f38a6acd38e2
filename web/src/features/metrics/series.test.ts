import { describe, expect, it } from 'vitest';
import { run } from '../../test/factories';
import {
  addSample,
  isSpread,
  lagColumns,
  outcomeColumns,
  paceFor,
  quantile,
  rateColumns,
} from './series';

const at = (scheduled_at: number, lag: number) =>
  run({ scheduled_at, started_at: scheduled_at + lag });

describe('series', () => {
  it('name the value below which a share lies', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(3);
    expect(quantile([], 0.5)).toBeNull();
  });

  it('show a gap as a gap', () => {
    const [x, median] = lagColumns([at(0, 0.01), at(180, 0.03)], 60);
    expect(x).toEqual([0, 60, 120, 180]);
    expect(median?.[0]).toBeCloseTo(0.01);
    expect(median?.[1]).toBeNull();
    expect(median?.[3]).toBeCloseTo(0.03);
  });

  it('say how late slots start on their own, not those that people approved later', () => {
    const approved = run({ scheduled_at: 0, started_at: 9_000, trigger: 'approved' });
    expect(lagColumns([approved, at(0, 0.5)], 60)[3]).toEqual([0.5]);
  });

  it('want another axis when one value would hide all others', () => {
    expect(
      isSpread([
        [0, 1, 2],
        [0.02, 0.03, 9_000],
      ]),
    ).toBe(true);
    expect(
      isSpread([
        [0, 1, 2],
        [0.02, 0.03, null],
      ]),
    ).toBe(false);
  });

  it('count what succeeded and what did not', () => {
    const runs = [at(0, 0), at(10, 0), run({ scheduled_at: 20, status: 'timeout' })];
    expect(outcomeColumns(runs, 60)).toEqual([[0], [2], [1]]);
  });

  it('choose a pace for the time there is', () => {
    expect(paceFor(86_400, 100)).toBe(1_800);
    expect(paceFor(600, 100)).toBe(10);
  });

  it('turn a rising seq into a rate', () => {
    const samples = [0, 5_000, 10_000].map((ms, i) => ({ at: ms, seq: i * 10, subscribers: 1 }));
    expect(rateColumns(samples)).toEqual([
      [5, 10],
      [2, 2],
    ]);
  });

  it('never hold more samples than their bound', () => {
    let samples: ReturnType<typeof addSample> = [];
    for (let i = 0; i < 1_000; i++) samples = addSample(samples, { at: i, seq: i, subscribers: 1 });
    expect(samples).toHaveLength(720);
  });
});
