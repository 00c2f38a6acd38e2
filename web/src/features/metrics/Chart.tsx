import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme } from '@mantine/core';
import { type JSX, useEffect, useId, useRef } from 'react';
import uPlot from 'uplot';
import { useZone } from '../../app/zone';
import { clock, clockSeconds, dayClock, dayName, isoDate } from '../../lib/time';
import styles from './Chart.module.css';
import type { Columns } from './series';

export interface Line {
  label: string;
  /** A colour variable of the page. */
  color: string;
  isBar?: boolean;
}

interface ChartProps {
  title: string;
  unit: string;
  columns: Columns;
  lines: readonly Line[];
  /** The chart in words, for those who do not see it. */
  summary: string;
}

const HEIGHT = 210;

const numbers = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 2 });

/** A value as it fits beside the axis: 0.25, 40, 1.5K, 900K. */
const short = (value: number) => numbers.format(value);

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

function optionsFor(
  props: Omit<ChartProps, 'columns'>,
  zone: string,
  width: number,
): uPlot.Options {
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
    scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.15 : 1] } },
    axes: [
      { ...axis, values: (_plot, splits) => timeTexts(splits, zone) },
      { ...axis, size: 52, values: (_plot, values) => values.map(short) },
    ],
    series: [
      {
        label: 'time',
        value: (_plot: uPlot, at: number | null) => (at === null ? '–' : dayClock(at * 1000, zone)),
      },
      ...props.lines.map(({ label, color: name, isBar }) => ({
        label,
        stroke: color(name),
        width: 1.6,
        points: { show: false },
        ...(isBar === true && bars && { paths: bars, fill: color(name), width: 0 }),
        value: (_plot: uPlot, value: number | null) =>
          value === null ? '–' : `${Math.round(value * 100) / 100} ${props.unit}`,
      })),
    ],
  };
}

/** Lines or bars over time. */
export function Chart(props: ChartProps): JSX.Element {
  const { title, unit, columns, lines, summary } = props;
  const id = useId();
  const area = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(columns);
  const zone = useZone();
  const scheme = useComputedColorScheme();
  const shape = JSON.stringify(lines);
  useEffect(() => {
    const box = area.current;
    if (!box) return;
    const told: Line[] = JSON.parse(shape) as Line[];
    const options = optionsFor({ title, unit, summary: '', lines: told }, zone, box.clientWidth);
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
  }, [title, unit, shape, zone, scheme]);
  useEffect(() => {
    latest.current = columns;
    plot.current?.setData(columns);
  }, [columns]);
  return (
    <figure className={styles.chart} aria-labelledby={id}>
      <figcaption id={id}>
        <b>{title}</b> <span className="muted">{unit}</span>
        <span className="sr-only">{summary}</span>
      </figcaption>
      <div ref={area} className={styles.area} aria-hidden="true" />
    </figure>
  );
}
