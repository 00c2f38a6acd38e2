import { type JSX, lazy, Suspense, useState } from 'react';
import { Link } from 'react-router';
import type { StasisItem } from '../../api/contract';
import { useStasis } from '../../api/queries';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { Ago } from '../../ui/times';
import { StasisRow } from '../stasis/StasisRow';
import { useDecisions } from '../stasis/useDecisions';
import styles from './Decisions.module.css';

const RescheduleDialog = lazy(() => import('../stasis/RescheduleDialog'));

const MOST = 3;

/** The first of what waits for a decision, decided in place. */
export function Decisions(): JSX.Element {
  const query = useStasis();
  const decisions = useDecisions();
  const [rescheduled, setRescheduled] = useState<StasisItem | null>(null);
  const count = query.data?.length ?? 0;
  return (
    <Panel
      title="Needs a decision"
      count={count}
      urgent={count > 0}
      actions={
        count > MOST && (
          <Link to="/stasis" className={styles.all}>
            All {count}
          </Link>
        )
      }
    >
      <Loaded query={query} what="the stasis queue">
        {(items) =>
          items.length === 0 ? (
            <EmptyState title="Nothing is waiting">
              Last checked <Ago at={query.dataUpdatedAt} pace="second" />.
            </EmptyState>
          ) : (
            <ul>
              {items.slice(0, MOST).map((item) => (
                <StasisRow
                  key={item.event_id}
                  item={item}
                  decisions={decisions}
                  onReschedule={setRescheduled}
                />
              ))}
            </ul>
          )
        }
      </Loaded>
      {rescheduled && (
        <Suspense>
          <RescheduleDialog
            event_id={rescheduled.event_id}
            title={rescheduled.event.title}
            onClose={() => setRescheduled(null)}
          />
        </Suspense>
      )}
    </Panel>
  );
}
