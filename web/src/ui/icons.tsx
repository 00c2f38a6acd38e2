// The icons, drawn on a 20 by 20 grid with one stroke. They are decoration: words say it too.
import type { JSX } from 'react';

const PATHS = {
  overview: 'M3 3h6v8H3zM11 3h6v4h-6zM11 9h6v8h-6zM3 13h6v4H3z',
  calendar: 'M3 5h14v12H3zM3 8.5h14M7 3v3M13 3v3',
  jobs: 'M10 3a7 7 0 1 0 0 14a7 7 0 0 0 0-14M10 6.2V10l2.6 1.8',
  sessions:
    'M10 16.5S3.2 12.6 3.2 7.9A3.7 3.7 0 0 1 10 5.9a3.7 3.7 0 0 1 6.8 2c0 4.7-6.8 8.6-6.8 8.6',
  stasis: 'M6 3h8M6 17h8M7 3v3.5L10 10l3-3.5V3M7 17v-3.5l3-3.5l3 3.5V17',
  changes: 'M4 13.5V16h2.5l8.6-8.6l-2.5-2.5zM11 6.5L13.5 9',
  activity: 'M5 13.5V9a5 5 0 0 1 10 0v4.5l1.2 1.5H3.8zM8.5 17h3',
  metrics: 'M3 17h14M5.5 14V9.5M10 14V4M14.5 14V7',
  logs: 'M4 4.5h12M4 8.2h8M4 11.9h12M4 15.6h6',
  settings:
    'M10 7.6a2.4 2.4 0 1 0 0 4.8a2.4 2.4 0 0 0 0-4.8M10 3v2M10 15v2M3 10h2M15 10h2M5.05 5.05l1.4 1.4M13.55 13.55l1.4 1.4M14.95 5.05l-1.4 1.4M6.45 13.55l-1.4 1.4',
  search: 'M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4M12.7 12.7L16.5 16.5',
  plus: 'M10 4.5v11M4.5 10h11',
  left: 'M12 5l-5 5l5 5',
  right: 'M8 5l5 5l-5 5',
  down: 'M5 8l5 5l5-5',
  play: 'M6.5 4.5v11l9-5.5z',
  pause: 'M7 5v10M13 5v10',
  more: 'M5 10h.01M10 10h.01M15 10h.01',
  check: 'M4.5 10.5l3.5 3.5l7.5-8',
  close: 'M5.5 5.5l9 9M14.5 5.5l-9 9',
  trash: 'M4 6h12M8 6V4h4v2M5.5 6l.7 10.5h7.6L14.5 6M8.5 9v4.5M11.5 9v4.5',
  later: 'M10 3a7 7 0 1 0 7 7M10 6.2V10l2.6 1.8M14 3.5h3v3',
  sun: 'M10 6.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 0 0 0-7M10 2.5v1.6M10 15.9v1.6M2.5 10h1.6M15.9 10h1.6M4.7 4.7l1.1 1.1M14.2 14.2l1.1 1.1M15.3 4.7l-1.1 1.1M5.8 14.2l-1.1 1.1',
  moon: 'M16 11.8A6.5 6.5 0 0 1 8.2 4a6.5 6.5 0 1 0 7.8 7.8',
  pin: 'M7.5 3.5h5l-.6 5l2.6 2.5h-9L8.1 8.5zM10 11v5.5',
  bolt: 'M11 3L5 11.2h4L8.6 17L15 8.6h-4.3z',
  external: 'M11.5 4H16v4.5M16 4l-7 7M14 11.5V16H4V6h4.5',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.6}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
