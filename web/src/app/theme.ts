// Mantine's part of the theme; the colours are CSS variables in tokens.css.
import {
  Button,
  createTheme,
  Drawer,
  DrawerHeader,
  type MantineThemeOverride,
  Modal,
  ModalHeader,
} from '@mantine/core';

export const theme: MantineThemeOverride = createTheme({
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: Button.extend({
      defaultProps: { size: 'xs', variant: 'default' },
      vars: (_theme, { variant }) =>
        variant === 'filled'
          ? {
              root: {
                '--button-bg': 'var(--ink)',
                '--button-hover': 'var(--ink-hover)',
                '--button-color': 'var(--on-ink)',
              },
            }
          : variant === 'subtle'
            ? { root: { '--button-color': 'var(--fg)', '--button-hover': 'var(--sunken)' } }
            : { root: {} },
    }),
    // Their headers are <header> elements, and a page has one banner.
    ModalHeader: ModalHeader.extend({ defaultProps: { role: 'presentation' } }),
    DrawerHeader: DrawerHeader.extend({ defaultProps: { role: 'presentation' } }),
    // Locking the page's scroll needs an inline style sheet, which the page's policy may not allow.
    Modal: Modal.extend({
      defaultProps: {
        lockScroll: false,
        centered: true,
        closeButtonProps: { 'aria-label': 'Close' },
        overlayProps: { backgroundOpacity: 0.4 },
      },
    }),
    Drawer: Drawer.extend({
      defaultProps: {
        lockScroll: false,
        position: 'right',
        closeButtonProps: { 'aria-label': 'Close' },
        overlayProps: { backgroundOpacity: 0.28 },
      },
    }),
  },
});
