import { Button } from '@mantine/core';
import type { JSX } from 'react';
import { useClearResource } from '../../api/actions';
import type { Resource } from '../../api/contract';
import { useResourcesDown } from '../../api/queries';
import { useNow } from '../../lib/now';
import { instant, relative } from '../../lib/time';
import { Panel } from '../../ui/Panel';
import { Ago } from '../../ui/times';
import styles from './ServicesDown.module.css';

/** The services that are away: since when, until when, and what they have cost. Else nothing. */
export function ServicesDown(): JSX.Element | null {
  const { data } = useResourcesDown();
  if (data === undefined || data.length === 0) return null;
  return (
    <Panel title="Services that are away" count={data.length} urgent>
      <ul>
        {data.map((resource) => (
          <Service key={resource.resource} of={resource} />
        ))}
      </ul>
    </Panel>
  );
}

const slotWords = (count: number) => (count === 1 ? '1 slot' : `${count} slots`);

function nextTry({ state, until_utc, until_named }: Resource, now: number): string {
  if (state === 'probing') return 'one run tries it now';
  const until = instant(until_utc);
  if (state === 'due' || until <= now) return 'the next run tries it';
  return `tried again ${relative(until, now)}${until_named ? ', as it asked' : ''}`;
}

function Service({ of: resource }: { of: Resource }): JSX.Element {
  const now = useNow();
  const clear = useClearResource();
  return (
    <li className={styles.service}>
      <div className={styles.text}>
        <b>{resource.description}</b>
        <span>
          First met <Ago at={instant(resource.since_utc)} />; {nextTry(resource, now)}.
          {resource.slots > 0 && ` It has cost ${slotWords(resource.slots)}.`}
        </span>
        {resource.error !== null && <span className={styles.error}>{resource.error}</span>}
      </div>
      <Button
        variant="default"
        loading={clear.isPending}
        onClick={() => clear.mutate(resource.resource)}
      >
        Use it again now
      </Button>
    </li>
  );
}
