// The path below which a proxy has the gateway.

/** The path in the page that belongs to `pathname`; the page at the root has none. */
export function basePath(named: string, pathname: string): string {
  // The dev server does not fill the place in.
  if (!named.startsWith('/')) return '';
  return pathname === named || pathname.startsWith(`${named}/`) ? named : '';
}

/** That of UA_PUBLIC_URL, without a slash at its end; empty at the root. */
export const BASE = basePath(
  document.querySelector<HTMLMetaElement>('meta[name="base-path"]')?.content ?? '',
  globalThis.location.pathname,
);
