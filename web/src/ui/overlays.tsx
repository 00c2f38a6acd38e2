// Dialogs and drawers that are there for as long as they are open. Closing one gives the focus back
// to what had it before: a person on a keyboard goes on from there.
import {
  Drawer as MantineDrawer,
  type DrawerProps,
  Modal as MantineModal,
  type ModalProps,
} from '@mantine/core';
import { type JSX, useEffect, useState } from 'react';

function useOpener(): void {
  const [opener] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      if (opener instanceof HTMLElement && opener.isConnected)
        opener.focus({ preventScroll: true });
    },
    [opener],
  );
}

export function Modal(props: Omit<ModalProps, 'opened'>): JSX.Element {
  useOpener();
  return <MantineModal opened returnFocus={false} {...props} />;
}

export function Drawer(props: Omit<DrawerProps, 'opened'>): JSX.Element {
  useOpener();
  return <MantineDrawer opened returnFocus={false} {...props} />;
}
