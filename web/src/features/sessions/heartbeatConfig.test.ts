import { describe, expect, it } from 'vitest';
import { parseConfig, valueAt, withValue } from './heartbeatConfig';

describe('HEARTBEAT.json as a form', () => {
  it('changes one value and keeps all others', () => {
    const text = '{"every": "30m", "delivery": {"mode": "last"}, "prompt": "Look."}';
    const changed = withValue(text, 'delivery.mode', 'none');
    expect(JSON.parse(changed)).toEqual({
      every: '30m',
      delivery: { mode: 'none' },
      prompt: 'Look.',
    });
  });

  it('is empty when nothing is set any more', () => {
    const text = withValue('', 'visibility.show_ok', true);
    expect(valueAt(parseConfig(text) ?? {}, 'visibility.show_ok')).toBe(true);
    expect(withValue(text, 'visibility.show_ok', undefined)).toBe('');
  });

  it('leaves a text alone that is no JSON', () => {
    expect(parseConfig('{"every":')).toBeNull();
    expect(withValue('{"every":', 'every', '5m')).toBe('{"every":');
  });
});
