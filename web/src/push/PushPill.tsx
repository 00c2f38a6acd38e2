import { Button, Popover } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { type JSX, useEffect, useState } from 'react';
import { Link } from 'react-router';
import { useNow } from '../lib/now';
import { duration } from '../lib/time';
import { usePush, usePushClient } from './context';
import type { PushSnapshot } from './client';
import type { Phase } from './machine';
import styles from './PushPill.module.css';

const WORDS: Record<Phase, string> = {
  connecting: 'Connecting',
  live: 'Live',
  polling: 'Polling',
  off: 'Push off',
  signed_out: 'Sign in',
};

const OFF_REASONS = {
  server: 'The gateway has the push stream switched off. Answers are asked for at intervals.',
  local: 'Push is switched off in this browser. Answers are asked for at intervals.',
  absent: 'The gateway offers no push stream. Answers are asked for at intervals.',
};

/** A short break is not worth a flicker. */
const PATIENCE_MS = 2_000;

function useCalmPhase(phase: Phase): Phase {
  const [shown, setShown] = useState(phase);
  useEffect(() => {
    const isBreak = phase === 'polling';
    const timer = setTimeout(() => setShown(phase), isBreak ? PATIENCE_MS : 0);
    return () => clearTimeout(timer);
  }, [phase]);
  return shown;
}

function useDataAge(push: PushSnapshot): number | null {
  const queries = useQueryClient();
  const now = useNow('second');
  const answers = queries.getQueryCache().getAll();
  const latest = answers.reduce((most, each) => Math.max(most, each.state.dataUpdatedAt), 0);
  const heard = push.phase === 'live' ? Math.max(push.heard_at ?? 0, latest) : latest;
  return heard === 0 ? null : Math.max(0, (now - heard) / 1000);
}

function explain(push: PushSnapshot, phase: Phase): string {
  switch (phase) {
    case 'live':
      return push.is_leader
        ? 'This tab reads the event stream; other tabs of this browser share it.'
        : 'Another tab of this browser reads the event stream and shares it.';
    case 'connecting':
      return 'Finding out where the event log stands.';
    case 'polling':
      return 'The stream is interrupted. Meanwhile answers are asked for at intervals.';
    case 'off':
      return OFF_REASONS[push.off_reason ?? 'server'];
    case 'signed_out':
      return 'The gateway wants its token.';
  }
}

/** How the page is kept current, and how old what it shows is. */
export function PushPill(): JSX.Element {
  const push = usePush();
  const phase = useCalmPhase(push.phase);
  return (
    <Popover position="bottom-end" width={300} shadow="md" withinPortal>
      <Popover.Target>
        <button type="button" className={styles.pill} data-phase={phase}>
          <i className={styles.dot} aria-hidden="true" />
          <span role="status">{WORDS[phase]}</span>
          <Figures push={push} />
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        <Details push={push} phase={phase} />
      </Popover.Dropdown>
    </Popover>
  );
}

function Figures({ push }: { push: PushSnapshot }): JSX.Element {
  const age = useDataAge(push);
  return (
    <span className={styles.figures}>
      {push.projection_version !== null && <span>v{push.projection_version}</span>}
      {push.last_seq !== null && <span>seq {push.last_seq.toLocaleString('en-US')}</span>}
      {age !== null && <span className={styles.age}>{duration(age)}</span>}
    </span>
  );
}

function Details({ push, phase }: { push: PushSnapshot; phase: Phase }): JSX.Element {
  const client = usePushClient();
  const now = useNow('second');
  const age = useDataAge(push);
  return (
    <div className={styles.details}>
      <p>{explain(push, phase)}</p>
      <dl>
        <dt>Calendar version</dt>
        <dd>{push.projection_version ?? '–'}</dd>
        <dt>Last event</dt>
        <dd>{push.last_seq === null ? '–' : `seq ${push.last_seq}`}</dd>
        <dt>Data age</dt>
        <dd>{age === null ? '–' : duration(age)}</dd>
        {push.retry_at !== null && (
          <>
            <dt>Next attempt</dt>
            <dd>in {duration(Math.max(0, push.retry_at - now) / 1000)}</dd>
          </>
        )}
      </dl>
      <div className={styles.row}>
        {phase === 'polling' && (
          <Button onClick={() => client.send({ type: 'retry' })}>Try now</Button>
        )}
        <Link to="/settings">Settings</Link>
      </div>
    </div>
  );
}
