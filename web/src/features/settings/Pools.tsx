import { Button, NumberInput, TextInput } from '@mantine/core';
import { type JSX, useState } from 'react';
import { useDeletePool, usePutPool } from '../../api/actions';
import type { Pool } from '../../api/contract';
import { usePools } from '../../api/queries';
import { duration } from '../../lib/time';
import { Confirm } from '../../ui/Confirm';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import styles from './Pools.module.css';

const LARGEST = 4096;

/** How many runs are in execution, pool by pool, and how many may be. */
export function Pools(): JSX.Element {
  const query = usePools();
  return (
    <Panel title="Pools">
      <Loaded query={query} what="the pools">
        {(pools) => (
          <ul>
            {pools.map((pool) => (
              <PoolRow key={`${pool.name} ${pool.size}`} of={pool} />
            ))}
          </ul>
        )}
      </Loaded>
      <NewPool />
    </Panel>
  );
}

const runs = (count: number) => (count === 1 ? '1 run' : `${count} runs`);

function useOf({ size, light_workers, running, waiting, oldest_wait_seconds }: Pool): string {
  const reserve = light_workers > 0 ? `, ${light_workers} more in reserve for light ones` : '';
  const wait =
    oldest_wait_seconds === null ? '' : `, the first for ${duration(oldest_wait_seconds)}`;
  const queue = waiting === 0 ? 'none waits' : `${waiting} ${waiting === 1 ? 'waits' : 'wait'}`;
  return `${running} of ${runs(size)} in execution${reserve}; ${queue}${wait}.`;
}

const ORIGIN: Record<string, string> = {
  default: 'Every run has a place here. UA_CRON_MAX_CONCURRENCY is its size.',
  settings: 'UA_POOLS has set it.',
};

function PoolRow({ of: pool }: { of: Pool }): JSX.Element {
  const put = usePutPool();
  const remove = useDeletePool();
  const [size, setSize] = useState<number | string>(pool.size);
  const [isAsked, setIsAsked] = useState(false);
  const isOwn = pool.origin === 'operator';
  const about = pool.name === 'default' ? ORIGIN.default : ORIGIN[pool.origin];
  const close = () => setIsAsked(false);
  return (
    <li className={styles.pool}>
      <div className={styles.text}>
        <b>{pool.name}</b>
        <span>{useOf(pool)}</span>
        {about !== undefined && <span className="muted">{about}</span>}
      </div>
      {isOwn && (
        <div className={styles.controls}>
          <Size label={`Size of ${pool.name}`} value={size} onChange={setSize} />
          <Button
            disabled={typeof size !== 'number' || size === pool.size}
            loading={put.isPending}
            onClick={() => put.mutate({ name: pool.name, size: Number(size) })}
          >
            Save
          </Button>
          <Button variant="subtle" onClick={() => setIsAsked(true)}>
            Remove
          </Button>
        </div>
      )}
      {isAsked && (
        <Confirm
          title={`Remove the pool ${pool.name}?`}
          verb="Remove"
          isBusy={remove.isPending}
          onConfirm={() => remove.mutate(pool.name, { onSettled: close })}
          onClose={close}
        >
          Jobs that name it have to be moved first.
        </Confirm>
      )}
    </li>
  );
}

function NewPool(): JSX.Element {
  const put = usePutPool();
  const [name, setName] = useState('');
  const [size, setSize] = useState<number | string>(1);
  return (
    <form
      className={styles.pool}
      onSubmit={(event) => {
        event.preventDefault();
        put.mutate({ name: name.trim(), size: Number(size) }, { onSuccess: () => setName('') });
      }}
    >
      <TextInput
        className={styles.text}
        aria-label="Name of a new pool"
        placeholder="A new pool, such as browser"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <div className={styles.controls}>
        <Size label="Size of the new pool" value={size} onChange={setSize} />
        <Button
          type="submit"
          disabled={name.trim() === '' || typeof size !== 'number'}
          loading={put.isPending}
        >
          Add
        </Button>
      </div>
    </form>
  );
}

interface SizeProps {
  label: string;
  value: number | string;
  onChange: (value: number | string) => void;
}

const Size = ({ label, value, onChange }: SizeProps) => (
  <NumberInput
    className={styles.size}
    aria-label={label}
    min={1}
    max={LARGEST}
    allowDecimal={false}
    value={value}
    onChange={onChange}
  />
);
