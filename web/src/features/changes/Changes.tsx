import type { JSX } from 'react';
import { Link } from 'react-router';
import type { BusEvent } from '../../api/contract';
import { useAudit } from '../../api/queries';
import { instant } from '../../lib/time';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { When } from '../../ui/times';
import table from '../../ui/table.module.css';
import { ChangeForm } from './ChangeForm';
import styles from './ChangeForm.module.css';
import { namelessRef, useNames } from '../names';
import { detailOf, whatOf, whoOf } from './auditWords';

/** Asking for changes in words, and what was decided and changed, by whom. */
export default function Changes(): JSX.Element {
  const audit = useAudit();
  const named = useNames();
  return (
    <Page
      title="Changes"
      note="A change in words is shown before and after, and made only when you confirm it."
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
                <table className={`${table.table ?? ''} ${table.cards ?? ''}`}>
                  <thead>
                    <tr>
                      <th scope="col">When</th>
                      <th scope="col">What</th>
                      <th scope="col">Of</th>
                      <th scope="col">By</th>
                      <th scope="col">In detail</th>
                    </tr>
                  </thead>
                  <tbody>
                    {entries.map((entry) => (
                      <Entry key={entry.seq} entry={entry} about={named(entry.source_ref)} />
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

interface EntryProps {
  entry: BusEvent;
  /** The job or the session. */
  about: { name: string; to: string } | null;
}

function Entry({ entry, about }: EntryProps): JSX.Element {
  const { source_ref, type } = entry;
  const isNamed = /^(job|ses)_/.test(source_ref);
  return (
    <tr>
      <td>
        <When at={instant(entry.timestamp)} />
      </td>
      <td>{whatOf(entry)}</td>
      <td className="wrap">
        {about && type !== 'cron_job_deleted' ? (
          <Link to={about.to}>{about.name}</Link>
        ) : isNamed ? (
          namelessRef(source_ref)
        ) : (
          source_ref
        )}
      </td>
      <td className="wrap">{whoOf(entry)}</td>
      <td className="wrap">{detailOf(entry)}</td>
    </tr>
  );
}
