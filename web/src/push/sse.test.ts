import { describe, expect, it } from 'vitest';
import { FrameParser } from './sse';

describe('the frame parser', () => {
  it('reads a frame with its id', () => {
    expect(new FrameParser().push('id: 7\ndata: {"a":1}\n\n')).toEqual([
      { id: '7', data: '{"a":1}' },
    ]);
  });

  it('puts a frame together from chunks that break anywhere', () => {
    const text = 'id: 7\r\ndata: one\r\ndata: two\r\n\r\nid: 8\ndata:x\n\n';
    const parser = new FrameParser();
    const frames = Array.from(text).flatMap((char) => parser.push(char));
    expect(frames).toEqual([
      { id: '7', data: 'one\ntwo' },
      { id: '8', data: 'x' },
    ]);
  });

  it('passes over comments and frames without data', () => {
    expect(new FrameParser().push(': keep-alive\n\nid: 1\n\nevent: x\ndata: y\n\n')).toEqual([
      { id: null, data: 'y' },
    ]);
  });

  it('keeps an unfinished frame to itself', () => {
    expect(new FrameParser().push('data: half')).toEqual([]);
  });
});
