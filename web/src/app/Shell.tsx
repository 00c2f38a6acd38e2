import { ActionIcon, Button } from '@mantine/core';
import { type JSX, lazy, type ReactNode, Suspense, useEffect, useMemo } from 'react';
import { NavLink, useLocation, useNavigate } from 'react-router';
import { useConnection, useHealthFollowingPush } from '../api/health';
import { useNotifications, useStasis } from '../api/queries';
import { useShortcuts } from '../lib/shortcuts';
import { PushPill } from '../push/PushPill';
import { Icon } from '../ui/icons';
import { setAttention } from '../ui/pageTitle';
import { Toasts } from '../ui/Toasts';
import { ConnectionBanner } from './ConnectionBanner';
import { openDialog } from './dialogs';
import { PAGES, type PageLink } from './pages';
import styles from './Shell.module.css';
import { ZonePicker } from './ZonePicker';

const Dialogs = lazy(() => import('./Dialogs'));

/** How many things wait, by page. */
function useCounts(isCutOff: boolean): Record<string, number> {
  const { data: stasis } = useStasis();
  const { data: notifications } = useNotifications();
  const waiting = stasis?.length ?? 0;
  const unread = notifications?.filter((each) => each.status === 'new').length ?? 0;
  useEffect(() => setAttention(waiting, isCutOff), [waiting, isCutOff]);
  return { '/stasis': waiting, '/activity': unread };
}

function usePageKeys(): void {
  const navigate = useNavigate();
  const shortcuts = useMemo(
    () => ({
      ...Object.fromEntries(PAGES.map(({ key, path }) => [`g ${key}`, () => void navigate(path)])),
      '?': () => openDialog({ name: 'help' }),
      c: () => openDialog({ name: 'job' }),
    }),
    [navigate],
  );
  useShortcuts(shortcuts);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey)) return;
      event.preventDefault();
      openDialog({ name: 'palette' });
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

function Item({ page, count }: { page: PageLink; count: number | undefined }): JSX.Element {
  return (
    <li>
      <NavLink
        to={page.path}
        end={page.hasMore !== true}
        className={styles.link}
        title={page.label}
      >
        <Icon name={page.icon} />
        <span className={styles.label}>{page.label}</span>
        {count ? (
          <span className={styles.count} data-urgent={page.path === '/stasis'}>
            {count}
            <span className="sr-only"> waiting</span>
          </span>
        ) : null}
      </NavLink>
    </li>
  );
}

const ON_PHONE = ['/', '/calendar', '/stasis', '/jobs'];

/** The frame around every page. */
export function Shell({ children }: { children: ReactNode }): JSX.Element {
  const connection = useConnection();
  const counts = useCounts(connection.kind !== 'ok');
  useHealthFollowingPush();
  const { pathname } = useLocation();
  usePageKeys();
  useEffect(() => {
    window.scrollTo(0, 0);
  }, [pathname]);
  return (
    <div className={styles.app}>
      <a className={styles.skip} href="#content">
        Skip to content
      </a>
      <nav className={styles.side} aria-label="Pages">
        <div className={styles.brand}>
          <Mark />
          <span className={styles.label}>Universal Agent</span>
        </div>
        <ul>
          {PAGES.map((page) => (
            <Item key={page.path} page={page} count={counts[page.path]} />
          ))}
        </ul>
      </nav>
      <div className={styles.main}>
        <header className={styles.top}>
          <button
            type="button"
            className={styles.search}
            onClick={() => openDialog({ name: 'palette' })}
          >
            <Icon name="search" size={16} />
            <span className={styles.searchText}>Search or command</span>
            <kbd>{isApple ? '⌘' : 'Ctrl'} K</kbd>
          </button>
          <PushPill />
          <div className={styles.zone}>
            <ZonePicker />
          </div>
          <ActionIcon
            className={styles.help}
            variant="subtle"
            color="gray"
            size={30}
            aria-label="Keyboard shortcuts"
            onClick={() => openDialog({ name: 'help' })}
          >
            ?
          </ActionIcon>
          <Button
            variant="filled"
            className={styles.change}
            onClick={() => openDialog({ name: 'change' })}
          >
            Request change
          </Button>
        </header>
        <ConnectionBanner connection={connection} />
        <main id="content" className={styles.content} data-old={connection.kind === 'lost'}>
          {children}
        </main>
      </div>
      <nav className={styles.tabs} aria-label="Main pages">
        <ul>
          {PAGES.filter(({ path }) => ON_PHONE.includes(path)).map((page) => (
            <Item key={page.path} page={page} count={counts[page.path]} />
          ))}
          <li>
            <button
              type="button"
              className={styles.link}
              onClick={() => openDialog({ name: 'more' })}
            >
              <Icon name="more" />
              <span className={styles.label}>More</span>
            </button>
          </li>
        </ul>
      </nav>
      <Toasts />
      <Suspense>
        <Dialogs />
      </Suspense>
    </div>
  );
}

const isApple = /mac|iphone|ipad/i.test(navigator.userAgent);

function Mark(): JSX.Element {
  return (
    <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" fill="var(--ink)" />
      <circle cx="16" cy="16" r="8.2" fill="none" stroke="var(--on-ink)" strokeWidth="2.4" />
      <path
        d="M16 11v5.4l3.4 2.4"
        fill="none"
        stroke="var(--ok-fill)"
        strokeWidth="2.6"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
