import { expect, it } from 'vitest';
import { plainText } from './plainText';

it('leaves out terminal codes and direction marks, and keeps everything else', () => {
  expect(plainText('\u001b[31;1mred\u001b[0m <b>x</b>\ttab')).toBe('red <b>x</b>\ttab');
  expect(plainText('\u001b]8;;http://x\u0007link\u001b]8;;\u0007')).toBe('link');
  expect(plainText('a\u202eb\u2066c\u0000d')).toBe('abcd');
});
