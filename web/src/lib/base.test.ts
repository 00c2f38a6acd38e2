import { describe, expect, it } from 'vitest';
import { basePath } from './base';

describe('the base path', () => {
  it('is that of the public address, for pages below it alone', () => {
    expect(basePath('/agents', '/agents/jobs')).toBe('/agents');
    expect(basePath('/agents', '/agents')).toBe('/agents');
    expect(basePath('/agents', '/agentsx')).toBe('');
    expect(basePath('/agents', '/jobs')).toBe('');
  });

  it('is empty where the gateway has no public path, and on the dev server', () => {
    expect(basePath('', '/jobs')).toBe('');
    expect(basePath('{{base-path}}', '/jobs')).toBe('');
  });
});
