import { Button } from '@mantine/core';
import type { JSX, ReactNode } from 'react';
import styles from './SelectionBar.module.css';

interface SelectionBarProps {
  count: number;
  onClear: () => void;
  /** The actions on the selection. */
  children: ReactNode;
}

/** Stays in sight while rows of a list are selected. */
export function SelectionBar({ count, onClear, children }: SelectionBarProps): JSX.Element {
  return (
    <div className={styles.bar} role="region" aria-label="Selected">
      <b>{count} selected</b>
      {children}
      <Button variant="subtle" onClick={onClear}>
        Clear
      </Button>
    </div>
  );
}
