import { Button, Menu, SegmentedControl } from '@mantine/core';
import type { JSX } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useChangeNotification, useChangeNotifications } from '../../api/actions';
import type { BusEvent, Notification } from '../../api/contract';
import { useEvents, useNotifications } from '../../api/queries';
import { useZone } from '../../app/zone';
import { localTimes } from '../../lib/localTimes';
import { clockSeconds, dayName, instant } from '../../lib/time';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Ago, When } from '../../ui/times';
import { VirtualList } from '../../ui/VirtualList';
import { eventWords } from '../eventWords';
import { namelessRef, useNames } from '../names';
import styles from './Activity.module.css';
import { Channels } from './Channels';

/** What people should know, and everything that happens. */
export default function Activity(): JSX.Element {
  const [search, setSearch] = useSearchParams();
  const asked = search.get('tab');
  const tab = asked === 'events' || asked === 'channels' ? asked : 'inbox';
  return (
    <Page
      title="Activity"
      actions={
        <SegmentedControl
          size="xs"
          aria-label="What to show"
          value={tab}
          onChange={(value) => setSearch(value === 'inbox' ? {} : { tab: value })}
          data={[
            { value: 'inbox', label: 'Inbox' },
            { value: 'events', label: 'Events' },
            { value: 'channels', label: 'Channels' },
          ]}
        />
      }
    >
      {tab === 'inbox' && <Inbox />}
      {tab === 'events' && <Events />}
      {tab === 'channels' && <Channels />}
    </Page>
  );
}

/** Jobs of one notification that are listed. */
const MOST_FOLDED = 50;

const isOpen = ({ status }: Notification) => status === 'new' || status === 'read';

function Inbox(): JSX.Element {
  const query = useNotifications();
  const changeAll = useChangeNotifications();
  const unread = query.data?.filter((note) => note.status === 'new') ?? [];
  return (
    <>
      <Panel
        title="Inbox"
        count={unread.length}
        actions={
          unread.length > 0 && (
            <Button
              onClick={() =>
                changeAll.mutate({
                  status: 'read',
                  ids: unread.map((note) => note.id),
                })
              }
            >
              Mark all read
            </Button>
          )
        }
      >
        <Loaded query={query} what="the notifications" lines={6}>
          {(notes) =>
            notes.filter(isOpen).length === 0 ? (
              <EmptyState title="Nothing to tell">
                Failures, misses and alerts appear here.
              </EmptyState>
            ) : (
              <ul>
                {notes.filter(isOpen).map((note) => (
                  <Note key={note.id} note={note} />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Panel>
      <Later notes={query.data?.filter((note) => !isOpen(note)) ?? []} />
    </>
  );
}

function Later({ notes }: { notes: readonly Notification[] }): JSX.Element | null {
  if (notes.length === 0) return null;
  return (
    <Panel title="Snoozed and done" count={notes.length}>
      <ul>
        {notes.map((note) => (
          <Note key={note.id} note={note} />
        ))}
      </ul>
    </Panel>
  );
}

const SNOOZES = [
  [30, '30 minutes'],
  [120, '2 hours'],
  [480, '8 hours'],
  [1440, 'a day'],
] as const;

function Note({ note }: { note: Notification }): JSX.Element {
  const change = useChangeNotification();
  const { id, status } = note;
  const zone = useZone();
  const named = useNames();
  const ref = note.session_id ?? note.metadata?.job_id;
  const about = typeof ref === 'string' ? named(ref) : null;
  // An alert is what a checklist or a model has written: its times are its own.
  const inZone = (text: string) =>
    note.kind === 'alert'
      ? text
      : localTimes(text, zone, instant(note.updated_at ?? note.created_at));
  return (
    <li className={styles.note} data-unread={status === 'new'} data-severity={note.severity}>
      <span className={styles.mark} aria-hidden="true" />
      <div className={styles.text}>
        <p className={styles.title}>
          {status === 'new' && <span className="sr-only">Unread: </span>}
          {inZone(note.title)}
        </p>
        <p className={styles.message}>{inZone(note.message)}</p>
        <Folded note={note} />
        <p className={styles.meta}>
          <Ago at={instant(note.created_at)} /> · {note.kind.replaceAll('_', ' ')}
          {about && (
            <>
              {' · '}
              <Link to={about.to}>{about.name}</Link>
            </>
          )}
          {status === 'snoozed' && note.snoozed_until != null && (
            <>
              {' '}
              · until <When at={instant(note.snoozed_until)} />
            </>
          )}
          {status === 'acknowledged' && note.is_open && ' · quiet until it is over'}
          {isOpen(note) && note.remind_at != null && (
            <>
              {' '}
              · reminds <When at={instant(note.remind_at)} />
            </>
          )}
        </p>
      </div>
      <div className={styles.actions}>
        {isOpen(note) ? (
          <>
            <Menu position="bottom-end" shadow="md">
              <Menu.Target>
                <Button>Snooze</Button>
              </Menu.Target>
              <Menu.Dropdown>
                {SNOOZES.map(([snooze_minutes, text]) => (
                  <Menu.Item
                    key={text}
                    onClick={() => change.mutate({ id, status: 'snoozed', snooze_minutes })}
                  >
                    For {text}
                  </Menu.Item>
                ))}
              </Menu.Dropdown>
            </Menu>
            <Button onClick={() => change.mutate({ id, status: 'acknowledged' })}>
              Acknowledge
            </Button>
            <Button onClick={() => change.mutate({ id, status: 'dismissed' })}>Dismiss</Button>
          </>
        ) : (
          <Button onClick={() => change.mutate({ id, status: 'new' })}>Back to the inbox</Button>
        )}
      </div>
    </li>
  );
}

/** The jobs that share a notification. */
function Folded({ note }: { note: Notification }): JSX.Element | null {
  const named = useNames();
  const refs = note.metadata?.jobs;
  if (!Array.isArray(refs) || refs.length < 2) return null;
  const ids = refs.filter((ref): ref is string => typeof ref === 'string');
  return (
    <details className={styles.folded}>
      <summary>{ids.length} jobs</summary>
      <ul>
        {ids.slice(0, MOST_FOLDED).map((ref) => {
          const about = named(ref);
          return (
            <li key={ref}>{about ? <Link to={about.to}>{about.name}</Link> : namelessRef(ref)}</li>
          );
        })}
        {ids.length > MOST_FOLDED && <li>and {ids.length - MOST_FOLDED} more</li>}
      </ul>
    </details>
  );
}

function Events(): JSX.Element {
  const query = useEvents();
  const named = useNames();
  return (
    <Panel title="Events" count={query.data?.length}>
      <Loaded query={query} what="the event log" lines={10}>
        {(events) =>
          events.length === 0 ? (
            <EmptyState title="Nothing has happened yet" />
          ) : (
            <VirtualList
              items={events.toReversed()}
              label="Events, newest first"
              rowHeight={34}
              height="calc(100vh - 190px)"
              itemKey={(event) => String(event.seq)}
            >
              {(event) => <EventLine event={event} about={named(event.source_ref)} />}
            </VirtualList>
          )
        }
      </Loaded>
    </Panel>
  );
}

const refText = ({ source, source_ref }: BusEvent) =>
  source === 'cron' || source === 'heartbeat' ? namelessRef(source_ref) : source_ref;

interface EventLineProps {
  event: BusEvent;
  /** The job or the session. */
  about: { name: string; to: string } | null;
}

function EventLine({ event, about }: EventLineProps): JSX.Element {
  const zone = useZone();
  const at = instant(event.timestamp);
  return (
    <div className={styles.event}>
      <time className="num" dateTime={event.timestamp}>
        {dayName(at, zone)} {clockSeconds(at, zone)}
      </time>
      <b title={`${event.type}, number ${event.seq}`}>{eventWords(event.type)}</b>
      <span className="clip">
        {about ? <Link to={about.to}>{about.name}</Link> : refText(event)}
      </span>
      <span className="muted">{event.status ?? ''}</span>
    </div>
  );
}
