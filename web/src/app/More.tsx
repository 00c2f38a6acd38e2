import { Button } from '@mantine/core';
import type { JSX } from 'react';
import { NavLink } from 'react-router';
import { Icon } from '../ui/icons';
import { Drawer } from '../ui/overlays';
import { closeDialog, openDialog } from './dialogs';
import styles from './More.module.css';
import { PAGES } from './pages';

/** Every page and the main commands, for small screens. */
export default function More(): JSX.Element {
  return (
    <Drawer onClose={() => closeDialog()} position="bottom" size="auto" title="More">
      <ul className={styles.list}>
        {PAGES.map((page) => (
          <li key={page.path}>
            <NavLink to={page.path} end={page.hasMore !== true} onClick={() => closeDialog()}>
              <Icon name={page.icon} />
              {page.label}
            </NavLink>
          </li>
        ))}
      </ul>
      <div className={styles.actions}>
        <Button size="sm" onClick={() => openDialog({ name: 'job' })}>
          Create a job
        </Button>
        <Button size="sm" variant="filled" onClick={() => openDialog({ name: 'change' })}>
          Request change
        </Button>
      </div>
    </Drawer>
  );
}
