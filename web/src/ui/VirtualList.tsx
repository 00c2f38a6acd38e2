import { useVirtualizer } from '@tanstack/react-virtual';
import { type JSX, type ReactNode, useEffect, useRef } from 'react';
import styles from './VirtualList.module.css';

interface VirtualListProps<T> {
  items: readonly T[];
  label: string;
  rowHeight: number;
  height: string;
  itemKey: (item: T) => string;
  /** Where to begin; -1: at the top. */
  startAt?: number;
  /** What stays at the top for as long as this item is the first in view. */
  sticky?: (first: T) => ReactNode;
  /** Called when the end comes into view, to load what follows. */
  onEnd?: (() => void) | undefined;
  children: (item: T) => ReactNode;
}

/** A list of which only what is in view is in the document. */
export function VirtualList<T>(props: VirtualListProps<T>): JSX.Element {
  const { items, label, rowHeight, height, itemKey, startAt = -1, sticky, onEnd, children } = props;
  const area = useRef<HTMLDivElement>(null);
  const hasStarted = useRef(false);
  // eslint-disable-next-line react-hooks/incompatible-library -- it renders by itself as one scrolls
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => area.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => {
      const item = items[index];
      return item === undefined ? index : itemKey(item);
    },
    overscan: 12,
    initialRect: { width: 600, height: 600 },
  });
  useEffect(() => {
    if (hasStarted.current || items.length === 0) return;
    hasStarted.current = true;
    if (startAt > 0) rows.scrollToIndex(startAt, { align: 'start' });
  }, [items.length, startAt, rows]);
  const isAtEnd = (rows.getVirtualItems().at(-1)?.index ?? -1) >= items.length - 1;
  useEffect(() => {
    if (isAtEnd) onEnd?.();
  }, [isAtEnd, items.length, onEnd]);
  const first = items[Math.floor((rows.scrollOffset ?? 0) / rowHeight)];
  return (
    <div
      ref={area}
      className={styles.area}
      style={{ height }}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
      tabIndex={0}
      role="region"
      aria-label={label}
    >
      {sticky && first !== undefined && (
        <div className={styles.sticky} style={{ height: rowHeight, marginBottom: -rowHeight }}>
          {sticky(first)}
        </div>
      )}
      <div role="list" style={{ height: rows.getTotalSize(), position: 'relative' }}>
        {rows.getVirtualItems().map((row) => {
          const item = items[row.index];
          if (item === undefined) return null;
          return (
            <div
              key={row.key}
              role="listitem"
              aria-setsize={items.length}
              aria-posinset={row.index + 1}
              className={styles.row}
              style={{ height: rowHeight, transform: `translateY(${row.start}px)` }}
            >
              {children(item)}
            </div>
          );
        })}
      </div>
    </div>
  );
}
