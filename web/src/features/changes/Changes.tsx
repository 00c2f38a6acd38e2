import type { JSX } from 'react';
import { Link } from 'react-router';
import type { BusEvent } from '../../api/contract';
import { useAudit, useJobs } from '../../api/queries';
import { instant } from '../../lib/time';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { When } from '../../ui/times';
import table from '../../ui/table.module.css';
import { ChangeForm } from './ChangeForm';
import styles from './ChangeForm.module.css';
import { detailOf, whatOf, whoOf } from './auditWords';

/** Asking for changes in words, and what was decided and changed, by whom. */
export default function Changes(): JSX.Element {
  const audit = useAudit();
  const { data: jobs } = useJobs();
  const titles = new Map((jobs ?? []).map((job) => [job.job_id, job.title]));
  return (
    <Page title="Changes" note="Said in words, shown before and after, made only when confirmed.">
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
                      <th scope="col">In detail</th>
                    </tr>
                  </thead>
                  <tbody>
                    {entries.map((entry) => (
                      <Entry key={entry.seq} entry={entry} title={titles.get(entry.source_ref)} />
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

function Entry({ entry, title }: { entry: BusEvent; title: string | undefined }): JSX.Element {
  const { source_ref, type } = entry;
  const isJob = title !== undefined && type !== 'cron_job_deleted';
  return (
    <tr>
      <td>
        <When at={instant(entry.timestamp)} />
      </td>
      <td>{whatOf(entry)}</td>
      <td className="wrap">
        {isJob ? <Link to={`/jobs/${source_ref}`}>{title}</Link> : <code>{source_ref}</code>}
      </td>
      <td className="wrap">{whoOf(entry)}</td>
      <td className="wrap">{detailOf(entry)}</td>
    </tr>
  );
}
