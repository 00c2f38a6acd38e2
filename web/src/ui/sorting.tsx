// Tables that sort by a click on a heading. The order is kept in the address.
import { type JSX, useMemo } from 'react';
import { useSearchParams } from 'react-router';
import styles from './table.module.css';

type Value = string | number | null;

/** What a column sorts by. Rows without a value come last either way. */
export type Columns<T> = Readonly<Record<string, (row: T) => Value>>;

export interface Sorting {
  column: string;
  isDown: boolean;
  sortBy: (column: string) => void;
}

const collator = new Intl.Collator(undefined, { numeric: true });

function compare(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') {
    return collator.compare(a, b);
  }
  return Number(a) - Number(b);
}

export function sorted<T>(rows: readonly T[], of: (row: T) => Value, isDown: boolean): T[] {
  const keyed = rows.map((row) => ({ row, key: of(row) }));
  keyed.sort(({ key: a }, { key: b }) => {
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return compare(a, b) * (isDown ? -1 : 1);
  });
  return keyed.map(({ row }) => row);
}

/** The rows in the order that the address names; as they are given where it names none. */
export function useSorted<T>(rows: readonly T[], columns: Columns<T>): [readonly T[], Sorting] {
  const [search, setSearch] = useSearchParams();
  const text = search.get('sort') ?? '';
  const isDown = text.startsWith('-');
  const column = isDown ? text.slice(1) : text;
  const of = Object.hasOwn(columns, column) ? columns[column] : undefined;
  const shown = useMemo(() => (of ? sorted(rows, of, isDown) : rows), [rows, of, isDown]);
  const sortBy = (wanted: string) =>
    setSearch(
      (params) => {
        if (wanted !== column) params.set('sort', wanted);
        else if (isDown) params.delete('sort');
        else params.set('sort', `-${wanted}`);
        return params;
      },
      { replace: true },
    );
  return [shown, { column: of ? column : '', isDown, sortBy }];
}

interface SortHeaderProps {
  sorting: Sorting;
  column: string;
  label: string;
  className?: string | undefined;
}

/** A heading: a click sorts up, a second one down, a third one as it was. */
export function SortHeader({ sorting, column, label, className }: SortHeaderProps): JSX.Element {
  const isSorted = sorting.column === column;
  const order = sorting.isDown ? 'descending' : 'ascending';
  return (
    <th scope="col" className={className} aria-sort={isSorted ? order : 'none'}>
      <button type="button" className={styles.sort} onClick={() => sorting.sortBy(column)}>
        {label}
        <span aria-hidden="true">{isSorted ? (sorting.isDown ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>
  );
}
