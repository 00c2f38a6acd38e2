import { Button } from '@mantine/core';
import { type JSX, lazy, Suspense, useMemo } from 'react';
import { useJobs } from '../../api/queries';
import { openDialog } from '../../app/dialogs';
import { useZone } from '../../app/zone';
import { useFeed } from '../../calendar/useFeed';
import { useNow } from '../../lib/now';
import { isoDate } from '../../lib/time';
import { Page } from '../../ui/Page';
import { Decisions } from './Decisions';
import { FirstSteps } from './FirstSteps';
import { HeartbeatPanel } from './HeartbeatPanel';
import { LedgerPanel } from './LedgerPanel';
import styles from './Overview.module.css';
import { ServicesDown } from './ServicesDown';
import { Tiles } from './Tiles';

const TodayBoard = lazy(() => import('./TodayBoard'));

/** What wants attention, and how today goes. */
export default function Overview(): JSX.Element {
  const zone = useZone();
  const now = useNow();
  const today = isoDate(now, zone);
  const dates = useMemo(() => [today], [today]);
  const day = useFeed(dates, zone);
  const { data: jobs } = useJobs();
  const isFirstVisit =
    jobs?.length === 0 && day.feed?.events.length === 0 && day.feed.always_running.length === 0;
  return (
    <Page
      title="Overview"
      actions={<Button onClick={() => openDialog({ name: 'job' })}>Create a job</Button>}
    >
      {isFirstVisit ? (
        <FirstSteps />
      ) : (
        <>
          <Tiles />
          <ServicesDown />
          <div className={styles.columns}>
            <Decisions />
            <HeartbeatPanel />
          </div>
          <Suspense>
            <TodayBoard data={day} zone={zone} />
          </Suspense>
          <LedgerPanel />
        </>
      )}
    </Page>
  );
}
