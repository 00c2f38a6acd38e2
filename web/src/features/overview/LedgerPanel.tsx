import type { JSX } from 'react';
import type { Ledger } from '../../api/contract';
import { useConnection } from '../../api/health';
import { useLedger } from '../../api/queries';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { At } from '../../ui/times';
import styles from './LedgerPanel.module.css';

const sum = (counts: Partial<Record<string, number>>) =>
  Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0);

interface Part {
  tone: string;
  name: string;
  count: number;
  detail: string;
}

function detailOf(counts: Partial<Record<string, number>>): string {
  return Object.entries(counts)
    .filter(([, count]) => (count ?? 0) > 0)
    .map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`)
    .join(', ');
}

function partsOf({ outcomes }: Ledger): Part[] {
  const { success = 0, ...others } = outcomes.ran;
  const { ran, skipped, missed, interrupted, in_flight } = outcomes;
  const failed = sum(ran) - success;
  return [
    { tone: 'ok', name: 'succeeded', count: success, detail: '' },
    { tone: 'bad', name: 'failed', count: failed, detail: detailOf(others) },
    { tone: 'off', name: 'skipped', count: sum(skipped), detail: detailOf(skipped) },
    { tone: 'miss', name: 'missed', count: sum(missed), detail: detailOf(missed) },
    { tone: 'run', name: 'interrupted', count: interrupted, detail: '' },
    { tone: 'next', name: 'in flight', count: in_flight, detail: '' },
  ];
}

/** The account of the last 24 hours: every slot that was expected, and how each ended. */
export function LedgerPanel(): JSX.Element {
  const query = useLedger();
  return (
    <Panel title="Accounts of the last 24 hours">
      <Loaded query={query} what="the ledger" lines={2}>
        {(ledger) => <Account ledger={ledger} at={query.dataUpdatedAt} isCurrent={!query.error} />}
      </Loaded>
    </Panel>
  );
}

interface AccountProps {
  ledger: Ledger;
  at: number;
  isCurrent: boolean;
}

function Account({ ledger, at, isCurrent }: AccountProps): JSX.Element {
  const parts = partsOf(ledger).filter((part) => part.count > 0);
  const lost = ledger.unaccounted_count;
  if (ledger.expected === 0) return <EmptyState title="No slot was expected" />;
  return (
    <div className={styles.account}>
      <div className={styles.bar} aria-hidden="true">
        {parts.map((part) => (
          <i key={part.name} data-tone={part.tone} style={{ flexGrow: part.count }} />
        ))}
      </div>
      <ul className={styles.parts}>
        <li className={styles.expected}>
          <b>{ledger.expected.toLocaleString('en-US')}</b> expected
        </li>
        {parts.map((part) => (
          <li key={part.name} title={part.detail}>
            <i data-tone={part.tone} aria-hidden="true" />
            <b>{part.count.toLocaleString('en-US')}</b> {part.name}
          </li>
        ))}
        <Balance lost={lost} at={at} isCurrent={isCurrent} />
      </ul>
    </div>
  );
}

/** What the account comes to: a claim about now only while the gateway can be relied on. */
function Balance(props: { lost: number; at: number; isCurrent: boolean }): JSX.Element {
  const { lost, at, isCurrent } = props;
  const { kind } = useConnection();
  const count = lost.toLocaleString('en-US');
  if (kind === 'failing' && lost > 0) {
    return (
      <li className={styles.balance} data-tone="miss">
        ! {count} not recorded while the gateway is failing
      </li>
    );
  }
  if (kind !== 'ok' || !isCurrent) {
    return (
      <li className={styles.balance} data-tone="off">
        {lost === 0 ? 'every slot was accounted for' : `${count} were unaccounted for`} at{' '}
        <At at={at} />
      </li>
    );
  }
  return (
    <li className={styles.balance} data-tone={lost > 0 ? 'bad' : 'ok'}>
      {lost === 0 ? '✓ every slot is accounted for' : `✕ ${count} unaccounted for`}
    </li>
  );
}
