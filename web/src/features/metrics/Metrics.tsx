import { type JSX, useMemo, useState } from 'react';
import type { SchedulingMetrics } from '../../api/contract';
import { useMetrics, useRuns } from '../../api/queries';
import { duration, elapsed } from '../../lib/time';
import { countOf } from '../../lib/words';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { eventWords } from '../eventWords';
import { Chart, type Line } from './Chart';
import styles from './Metrics.module.css';
import {
  addSample,
  durationColumns,
  lagColumns,
  outcomeColumns,
  paceFor,
  rateColumns,
  type Sample,
} from './series';

const PACE_MS = 5_000;
const WANTED_BUCKETS = 96;

const LAG: readonly Line[] = [
  { label: 'half within', color: '--ok-fill' },
  { label: '95 % within', color: '--accent' },
  { label: 'latest', color: '--miss-fill' },
];
const OUTCOMES: readonly Line[] = [
  { label: 'succeeded', color: '--ok-fill', isBar: true },
  { label: 'failed', color: '--bad-fill', isBar: true },
];
const DURATIONS: readonly Line[] = [
  { label: 'half within', color: '--ok-fill' },
  { label: '95 % within', color: '--accent' },
];
const RATE: readonly Line[] = [{ label: 'events per second', color: '--run-fill' }];

const numbers = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 2 });

/** A count, shortened for the labels of an axis: 0.25, 40, 1.5K. */
const short = (value: number) => numbers.format(value);

/** How punctual and how busy the scheduler is. */
export default function Metrics(): JSX.Element {
  const query = useMetrics(PACE_MS);
  return (
    <Page title="Metrics">
      <Loaded query={query} what="the metrics" lines={3}>
        {(metrics) => <Figures metrics={metrics} />}
      </Loaded>
      <div className={styles.charts}>
        <RunCharts />
        {query.data && <RateChart metrics={query.data} at={query.dataUpdatedAt} />}
      </div>
      {query.data && <Counters metrics={query.data} />}
    </Page>
  );
}

function Figures({ metrics }: { metrics: SchedulingMetrics }): JSX.Element {
  const { projection, event_bus, projection_state, uptime_seconds } = metrics;
  const lag = (name: string) => {
    const value = projection[`due_lag_seconds_${name}`];
    return value === undefined ? '–' : elapsed(value);
  };
  const behind = Number(projection_state.lag_events ?? 0);
  const figures: readonly [string, string | number][] = [
    ['half of the slots start within', lag('p50')],
    ['95 % start within', lag('p95')],
    ['99 % start within', lag('p99')],
    ['the latest started after', lag('max')],
    ['events recorded', Number(event_bus.seq ?? 0).toLocaleString('en-US')],
    ['live connections', event_bus.subscriber_count ?? '–'],
    ['the calendar is behind by', countOf(behind, 'event')],
    ['up for', duration(uptime_seconds)],
  ];
  return (
    <ul className={styles.figures} aria-label="Figures">
      {figures.map(([name, value]) => (
        <li key={name}>
          <b>{value}</b>
          <span>{name}</span>
        </li>
      ))}
    </ul>
  );
}

function RunCharts(): JSX.Element {
  const { data: runs } = useRuns(undefined, 1_000);
  const made = useMemo(() => {
    const times = (runs ?? []).map((run) => run.scheduled_at);
    const span = times.length === 0 ? 0 : Math.max(...times) - Math.min(...times);
    const pace = paceFor(span, WANTED_BUCKETS);
    const all = runs ?? [];
    return {
      pace,
      lag: lagColumns(all, pace),
      outcomes: outcomeColumns(all, pace),
      durations: durationColumns(all, pace),
    };
  }, [runs]);
  const per = `by ${duration(made.pace)}`;
  const count = runs?.length ?? 0;
  return (
    <>
      <Chart
        title={`How late slots start, ${per}`}
        format={elapsed}
        isDuration
        columns={made.lag}
        lines={LAG}
        summary={`How late the slots of the latest ${count} runs started.`}
      />
      <Chart
        title={`How runs end, ${per}`}
        format={short}
        columns={made.outcomes}
        lines={OUTCOMES}
        summary={`How many of the latest ${count} runs succeeded and failed.`}
      />
      <Chart
        title={`How long runs take, ${per}`}
        format={elapsed}
        isDuration
        columns={made.durations}
        lines={DURATIONS}
        summary={`How long the latest ${count} runs took.`}
      />
    </>
  );
}

function RateChart({ metrics, at }: { metrics: SchedulingMetrics; at: number }): JSX.Element {
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  if (samples.at(-1)?.at !== at) {
    const { seq = 0, subscriber_count = 0 } = metrics.event_bus;
    const sample = { at, seq: Number(seq), subscribers: Number(subscriber_count) };
    setSamples(addSample(samples, sample));
  }
  const columns = useMemo(() => rateColumns(samples), [samples]);
  return (
    <Chart
      title="Events per second, since this page was opened"
      format={short}
      columns={columns}
      lines={RATE}
      summary="How many events were written each second."
    />
  );
}

/** Counters, by the names that they have in Prometheus too. */
function Counters({ metrics }: { metrics: SchedulingMetrics }): JSX.Element {
  const counts = Object.values(metrics.event_counts)
    .flatMap((types) => Object.entries(types))
    .map(([type, count]): [string, number] => [eventWords(type), count]);
  return (
    <div className={styles.charts}>
      <Panel title="Events since the gateway started">
        {counts.length === 0 ? (
          <p className={styles.none}>Nothing has happened yet.</p>
        ) : (
          <Counts of={counts} />
        )}
      </Panel>
      <Panel title="Counters">
        <details className={styles.all}>
          <summary>All counters by name</summary>
          <Counts of={Object.entries(metrics.counters)} />
        </details>
      </Panel>
    </div>
  );
}

function Counts({ of }: { of: readonly [string, number][] }): JSX.Element {
  return (
    <dl className={styles.counts}>
      {of.map(([name, count]) => (
        <div key={name}>
          <dt>{name.replaceAll('_', ' ')}</dt>
          <dd>{count.toLocaleString('en-US')}</dd>
        </div>
      ))}
    </dl>
  );
}
