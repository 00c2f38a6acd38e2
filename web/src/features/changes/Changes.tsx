import type { JSX } from 'react';
import { useAudit } from '../../api/queries';
import { maybeInstant } from '../../lib/time';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { When } from '../../ui/times';
import table from '../../ui/table.module.css';
import { ChangeForm } from './ChangeForm';
import styles from './ChangeForm.module.css';

/** Asking for changes in words, and what was decided and changed, by whom. */
export default function Changes(): JSX.Element {
  const audit = useAudit();
  return (
    <Page
      title="Changes"
      note="Said in words, shown before and after, made only when confirmed."
    >
      <Panel title="Request a change">
        <div className={styles.request}>
          <ChangeForm onDone={() => void audit.refetch()} />
        </div>
      </Panel>
      <Panel title="History" count={audit.data?.length}>
        <Loaded query={audit} what="the history">
          {(entries) =>
            entries.length === 0 ? (
              <EmptyState title="Nothing was changed yet" />
            ) : (
              <div className={table.scroll}>
                <table className={table.table}>
                  <thead>
                    <tr>
                      <th scope="col">When</th>
                      <th scope="col">What</th>
                      <th scope="col">Of</th>
                      <th scope="col">By</th>
                      <th scope="col">Note</th>
                    </tr>
                  </thead>
                  <tbody>
                    {entries.map((entry, index) => (
                      <tr key={index}>
                        <td>
                          <When at={maybeInstant(entry.at ?? entry.timestamp)} />
                        </td>
                        <td>{entry.action.replaceAll('_', ' ')}</td>
                        <td className="wrap">
                          <code>{entry.target ?? ''}</code>
                        </td>
                        <td>{entry.actor ?? ''}</td>
                        <td className="wrap">{entry.note ?? ''}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )
          }
        </Loaded>
      </Panel>
    </Page>
  );
}
