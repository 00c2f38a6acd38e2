import { Button } from '@mantine/core';
import { type JSX, lazy, type ReactNode, Suspense, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { useEventAction } from '../api/actions';
import type { CalendarEvent } from '../api/contract';
import { useExplain } from '../api/queries';
import { openDialog } from '../app/dialogs';
import { useDecisions } from '../features/stasis/useDecisions';
import { useNow } from '../lib/now';
import { dayClock, elapsed, longDay, clock, relative, zoneName } from '../lib/time';
import { toast } from '../lib/toasts';
import { Facts } from '../ui/Facts';
import { EventBadge } from '../ui/StatusBadge';
import { Drawer } from '../ui/overlays';
import styles from './EventDrawer.module.css';
import { useOwnZone } from './jobZones';
import { slotAt, statusWord } from './words';

const RescheduleDialog = lazy(() => import('../features/stasis/RescheduleDialog'));

interface EventDrawerProps {
  event: CalendarEvent;
  zone: string;
  onClose: () => void;
  onBack: (() => void) | null;
}

/** All about one slot, and what can be done with it. */
export function EventDrawer({ event, zone, onClose, onBack }: EventDrawerProps): JSX.Element {
  return (
    <Drawer onClose={onClose} title={event.title} size={440}>
      {onBack && (
        <Button variant="subtle" className={styles.back} onClick={onBack}>
          Back to the list
        </Button>
      )}
      <SlotFacts event={event} zone={zone} />
      <Actions event={event} onClose={onClose} />
      <Why event={event} />
    </Drawer>
  );
}

function SlotFacts({ event, zone }: { event: CalendarEvent; zone: string }): JSX.Element {
  const now = useNow();
  const at = slotAt(event);
  const own = useOwnZone(event.source_ref, zone);
  return (
    <Facts
      of={[
        [
          'Status',
          <>
            <EventBadge status={event.status} />{' '}
            {event.run_status != null && event.run_status !== 'success' && (
              <span className="muted">{statusWord(event)}</span>
            )}
          </>,
        ],
        [
          'Scheduled',
          <>
            {longDay(at, zone)}, {clock(at, zone)} {zoneName(at, zone)}{' '}
            <span className="muted">({relative(at, now)})</span>
          </>,
        ],
        ['In its own zone', own === null ? null : `${dayClock(at, own)} ${own}`],
        ['UTC', zone === 'UTC' ? null : dayClock(at, 'UTC')],
        ['Took', event.duration_seconds == null ? null : elapsed(event.duration_seconds)],
        ['Source', event.source === 'cron' ? '◷ cron job' : '♥ heartbeat'],
        ['Schedule', event.description === '' ? null : event.description],
        ['Priority', event.category === 'normal' ? null : event.category],
        ['Channel', event.channel],
        ['Session', event.session_id],
        ['Id', <code key="id">{event.event_id}</code>],
      ]}
    />
  );
}

function Actions({ event, onClose }: { event: CalendarEvent; onClose: () => void }): JSX.Element {
  const { event_id, title, actions, source_ref } = event;
  const [isRescheduling, setRescheduling] = useState(false);
  const decisions = useDecisions();
  const act = useEventAction();
  const navigate = useNavigate();
  const can = (action: string) => actions.includes(action);
  const does = (action: string, done: string) => () =>
    act.mutate({ event_id, body: { action } }, { onSuccess: () => toast(done, { tone: 'good' }) });
  const button = (action: string, label: ReactNode, onClick: () => void) =>
    can(action) && (
      <Button onClick={onClick} disabled={act.isPending}>
        {label}
      </Button>
    );
  return (
    <div className={styles.actions}>
      {can('approve_backfill_run') && (
        <Button
          variant="filled"
          loading={decisions.isBusy(event_id)}
          onClick={() => decisions.approve(event_id, title)}
        >
          Approve & Run
        </Button>
      )}
      {button('reschedule', 'Reschedule…', () => setRescheduling(true))}
      {button('delete_missed', 'Delete', () => {
        decisions.remove(event_id, title);
        onClose();
      })}
      {button('run_now', 'Run now', does('run_now', `Running ${title}`))}
      {button('pause', 'Pause', does('pause', `Paused ${title}`))}
      {button('resume', 'Resume', does('resume', `Resumed ${title}`))}
      {button('open_logs', 'Logs', () => {
        void navigate(event.run_id == null ? '/logs' : `/logs?run=${event.run_id}`);
      })}
      {button(
        'open_session',
        'Session',
        () => void navigate(`/sessions?id=${event.session_id ?? ''}`),
      )}
      <Button onClick={() => openDialog({ name: 'change', event_id, title })}>
        Request change…
      </Button>
      {event.source === 'cron' && <Link to={`/jobs/${source_ref}`}>Open the job</Link>}
      {isRescheduling && (
        <Suspense>
          <RescheduleDialog
            event_id={event_id}
            title={title}
            onClose={() => setRescheduling(false)}
          />
        </Suspense>
      )}
    </div>
  );
}

/** Why the slot ended as it did; left out where the gateway cannot say. */
function Why({ event }: { event: CalendarEvent }): JSX.Element | null {
  const { data } = useExplain(event.event_id);
  if (!data || data.sentences.length === 0) return null;
  return (
    <section className={styles.why}>
      <h3>What happened</h3>
      <ol>
        {data.sentences.map((sentence, index) => (
          <li key={index}>{sentence}</li>
        ))}
      </ol>
    </section>
  );
}
