import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme } from '@mantine/core';
import { type JSX, useEffect, useId, useMemo, useRef } from 'react';
import uPlot from 'uplot';
import { useZone } from '../../app/zone';
import { clock, clockSeconds, dayClock, dayName, isoDate } from '../../lib/time';
import styles from './Chart.module.css';
import { type Columns, isSpread } from './series';

export interface Line {
  label: string;
  /** A colour variable of the page. */
  color: string;
  isBar?: boolean;
}

interface ChartProps {
  title: string;
  /** A value in words: 40 ms, 2 h 30 m, 1.5K. */
  format: (value: number) => string;
  /** Whether the values are durations in seconds, which have steps of their own. */
  isDuration?: boolean;
  columns: Columns;
  lines: readonly Line[];
  /** The chart in words, for those who do not see it. */
  summary: string;
}

const HEIGHT = 210;

/** Steps of an axis of seconds that people count in. */
const SECONDS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900,
  1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
];

/** The lines of a logarithmic axis of seconds. */
const LOG_STEPS = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3_600, 36_000, 86_400, 864_000, 8_640_000];

/** No value of a logarithmic axis is less than this. */
const LEAST = 0.001;

/** From the line below the least value to the one above the largest. */
function logRange(low: number | null, high: number | null): [number, number] {
  const from = LOG_STEPS.findLast((step) => step <= (low ?? LEAST)) ?? LEAST;
  const to = LOG_STEPS.find((step) => step > from && step >= (high ?? 1));
  return [from, to ?? (high ?? 1) * 1.1];
}

/** 09:00, and the day as well where a new one begins. */
function timeTexts(splits: readonly number[], zone: string): string[] {
  return splits.map((seconds, index) => {
    const at = seconds * 1000;
    const before = splits[index - 1];
    const isFine = (splits[1] ?? 0) - (splits[0] ?? 0) < 60;
    const text = isFine ? clockSeconds(at, zone) : clock(at, zone);
    const isSame = before !== undefined && isoDate(before * 1000, zone) === isoDate(at, zone);
    return isSame ? text : `${text}\n${dayName(at, zone)}`;
  });
}

interface Shape extends Pick<ChartProps, 'format' | 'isDuration'> {
  lines: readonly Line[];
  isLog: boolean;
}

function optionsFor(shape: Shape, zone: string, width: number): uPlot.Options {
  const { format, isDuration, lines, isLog } = shape;
  const css = getComputedStyle(document.documentElement);
  const color = (name: string) => css.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: color('--mut'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { stroke: color('--line'), width: 1 },
    font: '11px system-ui, sans-serif',
  };
  const bars = uPlot.paths.bars?.({ size: [0.72, 40] });
  return {
    width,
    height: HEIGHT,
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true },
    scales: {
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum of distr is not there at run time
      y: isLog
        ? { distr: 3, range: (_plot, low, high) => logRange(low, high) }
        : { range: (_plot, _low, high) => [0, high > 0 ? high * 1.15 : 1] },
    },
    axes: [
      { ...axis, values: (_plot, splits) => timeTexts(splits, zone) },
      {
        ...axis,
        size: 64,
        ...(isDuration === true && !isLog && { incrs: SECONDS }),
        ...(isLog && {
          splits: (_plot: uPlot, _axis: number, low: number, high: number) =>
            LOG_STEPS.filter((step) => step >= low && step <= high),
          filter: (_plot: uPlot, splits: number[]) => splits,
        }),
        values: (_plot, values) => values.map(format),
      },
    ],
    series: [
      {
        label: 'time',
        value: (_plot: uPlot, at: number | null) => (at === null ? '–' : dayClock(at * 1000, zone)),
      },
      ...lines.map(({ label, color: name, isBar }) => ({
        label,
        stroke: color(name),
        width: 1.6,
        points: { show: false },
        ...(isBar === true && bars && { paths: bars, fill: color(name), width: 0 }),
        value: (_plot: uPlot, value: number | null) => (value === null ? '–' : format(value)),
      })),
    ],
  };
}

/** The columns for a logarithmic axis, which has no zero. */
const atLeast = ([times, ...series]: Columns): Columns => [
  times,
  ...series.map((values) =>
    values.map((value) => (value === null ? null : Math.max(value, LEAST))),
  ),
];

/** Lines or bars over time. */
export function Chart(props: ChartProps): JSX.Element {
  const { title, format, isDuration = false, columns, lines, summary } = props;
  const id = useId();
  const area = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(columns);
  const zone = useZone();
  const scheme = useComputedColorScheme();
  const shape = JSON.stringify(lines);
  const isLog = isDuration && isSpread(columns);
  const shown = useMemo(() => (isLog ? atLeast(columns) : columns), [columns, isLog]);
  useEffect(() => {
    const box = area.current;
    if (!box) return;
    const lines: Line[] = JSON.parse(shape) as Line[];
    const options = optionsFor({ format, isDuration, lines, isLog }, zone, box.clientWidth);
    const made = new uPlot(options, latest.current, box);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: box.clientWidth, height: HEIGHT });
    });
    observer.observe(box);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [format, isDuration, isLog, shape, zone, scheme]);
  useEffect(() => {
    latest.current = shown;
    plot.current?.setData(shown);
  }, [shown]);
  return (
    <figure className={styles.chart} aria-labelledby={id}>
      <figcaption id={id}>
        <b>{title}</b>
        {isLog && <span className="muted"> · logarithmic</span>}
        <span className="sr-only">{summary}</span>
      </figcaption>
      <div ref={area} className={styles.area} aria-hidden="true" />
    </figure>
  );
}
