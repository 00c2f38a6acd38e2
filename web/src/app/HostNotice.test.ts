import { describe, expect, it } from 'vitest';
import { isSameHost } from './HostNotice';

describe('the host that reached the gateway', () => {
  it.each([
    ['agents.example.org', 'agents.example.org', true],
    ['AGENTS.example.org:443', 'agents.example.org', true],
    ['agents.example.org', 'agents.example.org:80', true],
    ['127.0.0.1:8002', 'agents.example.org', false],
    ['agents.example.org', 'agents.example.org:8443', false],
  ])('%s is the one asked for, %s: %s', (reached, asked, same) => {
    expect(isSameHost(reached, asked)).toBe(same);
  });
});
