import type { JSX } from 'react';
import styles from './ConnectionBanner.module.css';

const DEFAULT_PORT = /:(80|443)$/;

/** Whether the Host that reached the gateway is the one that the browser asked. */
export function isSameHost(reached: string, asked: string): boolean {
  const plain = (host: string) => host.toLowerCase().replace(DEFAULT_PORT, '');
  return plain(reached) === plain(asked);
}

/** Says that a proxy changes Host: the page can be read, but every change is refused. */
export function HostNotice({ host }: { host: string }): JSX.Element | null {
  const asked = globalThis.location.host;
  if (host === '' || isSameHost(host, asked)) return null;
  return (
    <div className={styles.banner} data-kind="failing" role="alert">
      <p>
        <b>The proxy in front of the gateway changes Host.</b> The browser asked for {asked}, and{' '}
        {host} reached the gateway, so signing in and every change are refused. Have the proxy pass
        Host on unchanged, and name it in <code>UA_ALLOWED_HOSTS</code> (docs/how-to/proxy.md).
      </p>
    </div>
  );
}
