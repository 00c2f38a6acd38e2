import { type JSX, useId } from 'react';
import { closeDialog } from './dialogs';
import styles from './Help.module.css';
import { Modal } from '../ui/overlays';
import { PAGES } from './pages';

const GROUPS: readonly { title: string; keys: readonly (readonly [string, string])[] }[] = [
  {
    title: 'Anywhere',
    keys: [
      ['Ctrl K', 'Search or command'],
      ['c', 'Create a job'],
      ['?', 'This list'],
      ['Esc', 'Close'],
    ],
  },
  {
    title: 'Calendar',
    keys: [
      ['w d l m', 'Week, day, list, month'],
      ['← →', 'Back, on'],
      ['t', 'Today'],
      ['n', 'Scroll to now'],
      ['/', 'Filter'],
      ['↑ ↓', 'Through the slots, once one has the focus'],
      ['r', 'Read anew'],
    ],
  },
  {
    title: 'Stasis, on a focused row',
    keys: [
      ['a', 'Approve & Run'],
      ['e', 'Reschedule'],
      ['x', 'Delete'],
    ],
  },
  { title: 'Go to', keys: PAGES.map(({ key, label }) => [`g ${key}`, label] as const) },
];

/** What the keys do. */
export default function Help(): JSX.Element {
  return (
    <Modal onClose={() => closeDialog()} title="Keyboard shortcuts" size="lg">
      <div className={styles.groups}>
        {GROUPS.map((group) => (
          <Group key={group.title} {...group} />
        ))}
      </div>
      <p className="muted small">Single keys can be switched off in Settings.</p>
    </Modal>
  );
}

function Group({ title, keys }: (typeof GROUPS)[number]): JSX.Element {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      <dl>
        {keys.map(([key, does]) => (
          <div key={key}>
            <dt>
              {key.split(' ').map((each) => (
                <kbd key={each}>{each}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
