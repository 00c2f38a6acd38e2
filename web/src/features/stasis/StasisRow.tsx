import { Button, Checkbox } from '@mantine/core';
import type { JSX, KeyboardEvent } from 'react';
import { Link } from 'react-router';
import type { StasisItem } from '../../api/contract';
import { useZone } from '../../app/zone';
import { useNow } from '../../lib/now';
import { usePreferences } from '../../lib/preferences';
import { instant, shortWhen } from '../../lib/time';
import { SOURCE_ICON } from '../../ui/status';
import styles from './StasisRow.module.css';
import type { Decisions } from './useDecisions';
import { adviceText, causeText, groupText, latenessOf, usefulText } from './words';

interface StasisRowProps {
  item: StasisItem;
  decisions: Decisions;
  onReschedule: (item: StasisItem) => void;
  isSelected?: boolean;
  /** Where rows can be selected. */
  onSelect?: (isSelected: boolean) => void;
  /** Whether to name the cause: not below a heading that does. */
  showsCause?: boolean;
}

/** A missed slot, or a group of them, and the three things that can be decided about it. */
export function StasisRow(props: StasisRowProps): JSX.Element {
  const { item, decisions, onReschedule, isSelected = false, onSelect, showsCause = true } = props;
  const { event, event_id } = item;
  const zone = useZone();
  const now = useNow();
  const { keys } = usePreferences();
  const isBusy = decisions.isBusy(event_id);
  const approve = () => decisions.approve(event_id, event.title);
  const remove = () => decisions.remove(event_id, event.title);
  const onKeyDown = (key: KeyboardEvent<HTMLLIElement>) => {
    if (!keys || key.target !== key.currentTarget || key.ctrlKey || key.metaKey) return;
    if (key.key === 'a') approve();
    else if (key.key === 'e') onReschedule(item);
    else if (key.key === 'x') remove();
    else return;
    key.preventDefault();
    key.stopPropagation();
  };
  return (
    // The row takes the focus so that a, e and x mean it and no other.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <li
      className={styles.row}
      data-busy={isBusy}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      aria-label={`${event.title}, missed. Keys: a approve, e reschedule, x delete`}
      onKeyDown={onKeyDown}
    >
      {onSelect ? (
        <Checkbox
          size="xs"
          aria-label={`Select ${event.title}`}
          checked={isSelected}
          onChange={(change) => onSelect(change.currentTarget.checked)}
        />
      ) : (
        <span className={styles.mark} aria-hidden="true">
          !
        </span>
      )}
      <div className={styles.text}>
        <div className={styles.first}>
          <span data-source={event.source} className={styles.icon} aria-hidden="true">
            {SOURCE_ICON[event.source]}
          </span>
          {event.source === 'cron' ? (
            <Link to={`/jobs/${event.source_ref}`} className={styles.title}>
              {event.title}
            </Link>
          ) : (
            <b className={styles.title}>{event.title}</b>
          )}
        </div>
        <div className={styles.clip}>
          <div className={styles.second}>
            <span>
              missed {shortWhen(instant(item.group.last_scheduled_at_utc), zone, now)}
              {showsCause && `, ${causeText(item.cause)}`}
            </span>
            <span className={styles.late}>{latenessOf(item, now)} late</span>
            <Detail text={groupText(item, zone, now)} />
            <Detail text={usefulText(item, now)} />
            <Detail text={item.held_by ?? null} />
            <Detail text={item.changed_since === true ? 'the job was changed since' : null} />
          </div>
        </div>
        {item.recommended && <div className={styles.advice}>{adviceText(item.recommended)}</div>}
      </div>
      <div className={styles.actions}>
        <Button loading={isBusy} onClick={approve}>
          Approve & Run
        </Button>
        <Button variant="subtle" disabled={isBusy} onClick={() => onReschedule(item)}>
          Reschedule…
        </Button>
        <Button variant="subtle" disabled={isBusy} onClick={remove}>
          Delete
        </Button>
      </div>
    </li>
  );
}

const Detail = ({ text }: { text: string | null }) => (text === null ? null : <span>{text}</span>);
