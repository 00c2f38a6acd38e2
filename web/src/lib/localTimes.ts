// The gateway's own sentences name times in UTC. Here they are put in the zone of the page.
import { clock, clockSeconds, dayClock, dayName, isoDate, zoneName } from './time';

const TIME = '(?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d)?|24:00';
/** [2026-11-30 ]14:17[-15:02] UTC */
const SPAN = new RegExp(
  `(?:(\\d{4}-\\d{2}-\\d{2})[ T])?(?<![\\d:])(${TIME})(?:(-|–| to )(${TIME}))? ?(?:UTC\\b|Z\\b|\\+00:00)`,
  'g',
);

const DAY = 86_400_000;

function instantOf(date: string, time: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number);
  return Date.parse(`${date}T00:00:00Z`) + ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

/** The latest such time of day before `near`, or the one right after it. */
function closest(time: string, near: number): number {
  const at = instantOf(isoDate(near, 'UTC'), time);
  return at > near + DAY / 24 ? at - DAY : at;
}

/** The sentence with its UTC times in the zone; `near`: about when it was written. */
export function localTimes(text: string, zone: string, near: number): string {
  if (zone === 'UTC') return text;
  return text.replace(
    SPAN,
    (_all, date: string | undefined, from: string, dash: string | undefined, to?: string) => {
      const first = date === undefined ? closest(from, near) : instantOf(date, from);
      const isFine = from.length > 5;
      const time = isFine ? clockSeconds(first, zone) : clock(first, zone);
      const isOtherDay = isoDate(first, zone) !== isoDate(near, zone);
      const start = date !== undefined || isOtherDay ? `${dayName(first, zone)} ${time}` : time;
      if (to === undefined || dash === undefined) return `${start} ${zoneName(first, zone)}`;
      let last = instantOf(isoDate(first, 'UTC'), to);
      if (last < first) last += DAY;
      const isSameDay = isoDate(first, zone) === isoDate(last, zone);
      const end = isSameDay ? clock(last, zone) : dayClock(last, zone);
      return `${start}${dash}${end} ${zoneName(last, zone)}`;
    },
  );
}
