import { Button } from '@mantine/core';
import { type JSX, type ReactNode, useState } from 'react';
import { useBulkDecision } from '../../api/actions';
import type { BulkBody, StasisItem } from '../../api/contract';
import { useStasis } from '../../api/queries';
import { toast } from '../../lib/toasts';
import { Confirm } from '../../ui/Confirm';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { SelectionBar } from '../../ui/SelectionBar';
import { Ago } from '../../ui/times';
import RescheduleDialog from './RescheduleDialog';
import styles from './Stasis.module.css';
import { StasisRow } from './StasisRow';
import { useDecisions } from './useDecisions';
import { adviceSummary, byOutage, causeText, type Outage, whatToDo } from './words';

interface Asked {
  body: BulkBody;
  sentence: string;
  verb: string;
  /** What is decided, item by item. */
  list?: ReactNode;
}

/** Items that a confirmation lists; the others are counted. */
const MOST_LISTED = 12;

/** What was missed and waits for a person's decision. */
export default function Stasis(): JSX.Element {
  const query = useStasis();
  return (
    <Page title="Stasis" note="Missed slots wait here until you decide.">
      <Loaded query={query} what="the stasis queue" lines={8}>
        {(items) =>
          items.length === 0 ? (
            <Panel title="Queue">
              <EmptyState title="Nothing is waiting">
                Every slot ran, was skipped for a reason, or has been decided. Last checked{' '}
                <Ago at={query.dataUpdatedAt} pace="second" />.
              </EmptyState>
            </Panel>
          ) : (
            <Queue items={items} />
          )
        }
      </Loaded>
    </Page>
  );
}

function Queue({ items }: { items: readonly StasisItem[] }): JSX.Element {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [rescheduled, setRescheduled] = useState<StasisItem | null>(null);
  const [asked, setAsked] = useState<Asked | null>(null);
  const decisions = useDecisions();
  const chosen = items.filter((item) => selected.has(item.event_id));
  const ids = chosen.map((item) => item.event_id);
  const select = (eventId: string, isSelected: boolean) =>
    setSelected((before) => {
      const after = new Set(before);
      if (isSelected) after.add(eventId);
      else after.delete(eventId);
      return after;
    });
  return (
    <>
      {ids.length > 0 && (
        <SelectionBar count={ids.length} onClear={() => setSelected(new Set())}>
          <Button variant="filled" onClick={() => setAsked(approving({ event_ids: ids }, chosen))}>
            Approve & Run
          </Button>
          <Button onClick={() => setAsked(deleting({ event_ids: ids }, chosen))}>Delete</Button>
          <Button onClick={() => setAsked(recommended({ event_ids: ids }, chosen))}>
            As recommended
          </Button>
        </SelectionBar>
      )}
      {items.length > 1 && <Advice items={items} onAsk={setAsked} />}
      {byOutage(items).map((outage) => (
        <OutagePanel key={outage.key} outage={outage} onAsk={setAsked}>
          {outage.items.map((item) => (
            <StasisRow
              key={item.event_id}
              item={item}
              decisions={decisions}
              onReschedule={setRescheduled}
              isSelected={selected.has(item.event_id)}
              onSelect={(isSelected) => select(item.event_id, isSelected)}
              showsCause={false}
            />
          ))}
        </OutagePanel>
      ))}
      {rescheduled && (
        <RescheduleDialog
          event_id={rescheduled.event_id}
          title={rescheduled.event.title}
          onClose={() => setRescheduled(null)}
        />
      )}
      {asked && (
        <BulkConfirm
          asked={asked}
          onClose={() => setAsked(null)}
          onDone={() => setSelected(new Set())}
        />
      )}
    </>
  );
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const slotsOf = (items: readonly StasisItem[]) =>
  items.reduce((sum, item) => sum + item.group.count, 0);

function approving(where: Omit<BulkBody, 'action'>, items: readonly StasisItem[]): Asked {
  const sentence =
    `${items.length} ${items.length === 1 ? 'job runs' : 'jobs run'} once each, now, for the ` +
    `latest of ${slotsOf(items)} missed slots; the earlier ones are closed as superseded.`;
  return { body: { ...where, action: 'approve_backfill_run' }, sentence, verb: 'Approve & Run' };
}

function deleting(where: Omit<BulkBody, 'action'>, items: readonly StasisItem[]): Asked {
  const sentence = `${slotsOf(items)} missed slots are closed without running.`;
  return { body: { ...where, action: 'delete_missed' }, sentence, verb: 'Delete' };
}

/** Each item as is recommended for it. */
function recommended(where: Omit<BulkBody, 'action'>, items: readonly StasisItem[]): Asked {
  const list = (
    <ul className={styles.advice}>
      {items.slice(0, MOST_LISTED).map((item) => (
        <li key={item.event_id}>
          <b>{item.event.title}</b>: {item.recommended && whatToDo(item.recommended)}
        </li>
      ))}
      {items.length > MOST_LISTED && <li>and {items.length - MOST_LISTED} more</li>}
    </ul>
  );
  return {
    body: { ...where, action: 'recommended' },
    sentence: `Of ${items.length} items: ${adviceSummary(items)}.`,
    verb: 'Decide as recommended',
    list,
  };
}

interface AdviceProps {
  items: readonly StasisItem[];
  onAsk: (asked: Asked) => void;
}

/** All of the queue in one go. */
function Advice({ items, onAsk }: AdviceProps): JSX.Element {
  const event_ids = items.map((item) => item.event_id);
  return (
    <div className={styles.all}>
      <span>Recommended: {adviceSummary(items)}.</span>
      <Button onClick={() => onAsk(recommended({ event_ids }, items))}>
        Decide all as recommended
      </Button>
    </div>
  );
}

interface OutagePanelProps {
  outage: Outage;
  onAsk: (asked: Asked) => void;
  children: React.ReactNode;
}

function OutagePanel({ outage, onAsk, children }: OutagePanelProps): JSX.Element {
  const { items, slots } = outage;
  const id = items[0]?.outage_id;
  const where = id == null ? { event_ids: items.map((item) => item.event_id) } : { outage: id };
  return (
    <Panel
      title={`${capital(causeText(items[0]?.cause))}: ${slots} ${slots === 1 ? 'slot' : 'slots'}`}
      count={items.length}
      urgent
      actions={
        items.length > 1 && (
          <>
            <Button onClick={() => onAsk(approving(where, items))}>Approve all</Button>
            <Button onClick={() => onAsk(deleting(where, items))}>Delete all</Button>
          </>
        )
      }
    >
      <ul>{children}</ul>
    </Panel>
  );
}

interface BulkConfirmProps {
  asked: Asked;
  onClose: () => void;
  onDone: () => void;
}

function BulkConfirm({ asked, onClose, onDone }: BulkConfirmProps): JSX.Element {
  const bulk = useBulkDecision();
  const confirm = () =>
    bulk.mutate(asked.body, {
      onSuccess: ({ done, refused }) => {
        const others = refused === 0 ? '' : `, ${refused} were already handled`;
        toast(`${done} decided${others}`, { tone: 'good' });
        onDone();
      },
      onSettled: onClose,
    });
  return (
    <Confirm
      title={`${asked.verb}?`}
      verb={asked.verb}
      isBusy={bulk.isPending}
      onConfirm={confirm}
      onClose={onClose}
    >
      {asked.sentence}
      {asked.list}
    </Confirm>
  );
}
