import { Button } from '@mantine/core';
import type { JSX, ReactNode } from 'react';
import { Link } from 'react-router';
import { useHeartbeats, useJobs, useRuns } from '../../api/queries';
import { openDialog } from '../../app/dialogs';
import styles from './FirstSteps.module.css';

interface StepProps {
  isDone: boolean;
  number: number;
  title: string;
  children: ReactNode;
}

function Step({ isDone, number, title, children }: StepProps): JSX.Element {
  return (
    <li className={styles.step} data-done={isDone}>
      <span className={styles.mark} aria-hidden="true">
        {isDone ? '✓' : number}
      </span>
      <div>
        <h2>
          {title}
          {isDone && <span className="sr-only">, done</span>}
        </h2>
        <div className="muted">{children}</div>
      </div>
    </li>
  );
}

/** What to do on a gateway that has nothing to do yet; what happens ticks the steps. */
export function FirstSteps(): JSX.Element {
  const { data: jobs } = useJobs();
  const { data: runs } = useRuns();
  const { data: beats } = useHeartbeats();
  return (
    <section className={styles.card} aria-label="First steps">
      <p className={styles.lead}>Nothing is scheduled yet. Three steps from here:</p>
      <ol>
        <Step isDone={(jobs?.length ?? 0) > 0} number={1} title="Create the first job">
          <p>
            A command, a prompt or a URL, and when it is to run: “every 30m”, “weekdays at 9am”, or
            a cron line. You see what was understood, and the next slots, before it is stored.
          </p>
          <div className={styles.actions}>
            <Button variant="filled" size="sm" onClick={() => openDialog({ name: 'job' })}>
              Create a job
            </Button>
          </div>
        </Step>
        <Step isDone={(runs?.length ?? 0) > 0} number={2} title="See it run">
          Run it now, or wait for its slot: the calendar shows both as they happen.
        </Step>
        <Step
          isDone={Object.keys(beats ?? {}).length > 0}
          number={3}
          title="Give a session a heartbeat"
        >
          A session with a HEARTBEAT.md is checked at intervals.{' '}
          <Link to="/sessions">To the sessions</Link>
        </Step>
      </ol>
    </section>
  );
}
