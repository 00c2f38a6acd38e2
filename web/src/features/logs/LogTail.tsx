import { Button, Switch, TextInput } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type JSX, useEffect, useMemo, useRef, useState } from 'react';
import { messageOf } from '../../api/errors';
import { copyText } from '../../lib/clipboard';
import { plainText } from '../../lib/plainText';
import { saveText } from '../../lib/saveText';
import { toast } from '../../lib/toasts';
import { countOf } from '../../lib/words';
import styles from './LogTail.module.css';
import type { LogLine } from './ring';
import { type LogSource, readerOf, wholeLog } from './follower';
import { useLogTail } from './useLogTail';

interface LogTailProps {
  source: LogSource;
  mayGrow: boolean;
  height: string;
}

const LINE = 19;

/** A log as it grows. Scrolling up stops following the end; scrolling back to it resumes. */
export function LogTail({ source, mayGrow, height }: LogTailProps): JSX.Element {
  const { log, error, isLoading } = useLogTail(source, mayGrow);
  const [isFollowing, setFollowing] = useState(true);
  const [wanted, setWanted] = useState('');
  const lines = useMemo(() => {
    const text = wanted.trim().toLowerCase();
    return text === '' ? log.lines : log.lines.filter((l) => l.text.toLowerCase().includes(text));
  }, [log.lines, wanted]);
  const copy = () => copyText(log.lines.map((l) => l.text).join('\n'), 'the log');
  const download = async () => {
    try {
      const text = await wholeLog(readerOf(source), new AbortController().signal);
      saveText(text, `${Object.values(source).join('')}.log`);
    } catch (failure) {
      toast(messageOf(failure), { tone: 'bad' });
    }
  };
  return (
    <div className={styles.log}>
      <div className={styles.bar}>
        <TextInput
          size="xs"
          placeholder="Find in log"
          aria-label="Find in log"
          value={wanted}
          onChange={(event) => setWanted(event.currentTarget.value)}
        />
        <span className="muted small num" role="status">
          {countOf(lines.length, 'line')}
          {log.is_cut && ', earlier ones left out'}
        </span>
        <span className={styles.space} />
        {mayGrow && (
          <Switch
            size="xs"
            label="Follow"
            checked={isFollowing}
            onChange={(event) => setFollowing(event.currentTarget.checked)}
          />
        )}
        <Button onClick={() => void copy()}>Copy</Button>
        <Button onClick={() => void download()}>Download</Button>
      </div>
      {error && <p className={styles.error}>{messageOf(error)}</p>}
      <Lines
        lines={lines}
        height={height}
        isFollowing={isFollowing}
        onFollow={setFollowing}
        empty={isLoading ? 'Loading…' : log.lines.length > 0 ? 'No line matches.' : 'No output.'}
      />
    </div>
  );
}

interface LinesProps {
  lines: readonly LogLine[];
  height: string;
  isFollowing: boolean;
  onFollow: (isFollowing: boolean) => void;
  empty: string;
}

function Lines({ lines, height, isFollowing, onFollow, empty }: LinesProps): JSX.Element {
  const area = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- it renders by itself as one scrolls
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => area.current,
    estimateSize: () => LINE,
    getItemKey: (index) => lines[index]?.number ?? index,
    overscan: 30,
  });
  const last = lines.at(-1)?.number;
  useEffect(() => {
    const box = area.current;
    if (isFollowing && box) box.scrollTop = box.scrollHeight;
  }, [isFollowing, last]);
  return (
    <div
      ref={area}
      className={styles.area}
      style={{ height }}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
      tabIndex={0}
      role="log"
      aria-live="off"
      aria-label="Log"
      onWheel={(event) => {
        if (event.deltaY < 0) onFollow(false);
      }}
      onScroll={(event) => {
        const box = event.currentTarget;
        const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < LINE * 2;
        if (isAtEnd && !isFollowing) onFollow(true);
      }}
    >
      {lines.length === 0 && <p className={styles.empty}>{empty}</p>}
      <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
        {rows.getVirtualItems().map((row) => {
          const line = lines[row.index];
          if (!line) return null;
          return (
            <div
              key={row.key}
              ref={rows.measureElement}
              data-index={row.index}
              className={styles.line}
              style={{ transform: `translateY(${row.start}px)` }}
            >
              <span className={styles.number} aria-hidden="true">
                {line.number}
              </span>
              <span className={styles.text}>{plainText(line.text)}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
