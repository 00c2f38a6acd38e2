import { type JSX, useMemo, useState } from 'react';
import type { SchedulingMetrics } from '../../api/contract';
import { useMetrics, useRuns } from '../../api/queries';
import { duration, elapsed } from '../../lib/time';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
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
  { label: 'p50', color: '--ok-fill' },
  { label: 'p95', color: '--cron' },
  { label: 'max', color: '--miss-fill' },
];
const OUTCOMES: readonly Line[] = [
  { label: 'succeeded', color: '--ok-fill', isBar: true },
  { label: 'failed', color: '--bad-fill', isBar: true },
];
const DURATIONS: readonly Line[] = [
  { label: 'p50', color: '--ok-fill' },
  { label: 'p95', color: '--cron' },
];
const RATE: readonly Line[] = [{ label: 'events', color: '--run-fill' }];

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
  const figures: readonly [string, string | number][] = [
    ['start lag p50', lag('p50')],
    ['start lag p95', lag('p95')],
    ['start lag p99', lag('p99')],
    ['start lag max', lag('max')],
    ['last event, seq', Number(event_bus.seq ?? 0).toLocaleString('en-US')],
    ['open streams', event_bus.subscriber_count ?? '–'],
    ['events to project', Number(projection_state.lag_events ?? 0)],
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
        title={`Start lag, ${per}`}
        unit="ms"
        columns={made.lag}
        lines={LAG}
        summary={`How late the latest ${count} runs started.`}
      />
      <Chart
        title={`Outcomes, ${per}`}
        unit="runs"
        columns={made.outcomes}
        lines={OUTCOMES}
        summary={`How many of the latest ${count} runs succeeded and failed.`}
      />
      <Chart
        title={`Duration, ${per}`}
        unit="s"
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
      title="Events, since this page was opened"
      unit="per s"
      columns={columns}
      lines={RATE}
      summary="How many events were written each second."
    />
  );
}

function Counters({ metrics }: { metrics: SchedulingMetrics }): JSX.Element {
  const counts = Object.values(metrics.event_counts).flatMap((types) => Object.entries(types));
  return (
    <div className={styles.charts}>
      <Counts title="Events by type" of={counts} />
      <Counts title="Counters" of={Object.entries(metrics.counters)} />
    </div>
  );
}

function Counts({ title, of }: { title: string; of: [string, number][] }): JSX.Element {
  return (
    <Panel title={title}>
      <dl className={styles.counts}>
        {of.map(([name, count]) => (
          <div key={name}>
            <dt>{name.replaceAll('_', ' ')}</dt>
            <dd>{count.toLocaleString('en-US')}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
