import { type JSX, lazy, Suspense } from 'react';
import { useDialog } from './dialogs';

const Palette = lazy(() => import('./Palette'));
const Help = lazy(() => import('./Help'));
const More = lazy(() => import('./More'));
const ChangeDialog = lazy(() => import('../features/changes/ChangeDialog'));
const JobDialog = lazy(() => import('../features/jobs/JobDialog'));

/** The page-wide dialog that is open, loaded when it is first wanted. */
export default function Dialogs(): JSX.Element | null {
  const dialog = useDialog();
  if (dialog === null) return null;
  return (
    <Suspense>
      {dialog.name === 'palette' && <Palette />}
      {dialog.name === 'help' && <Help />}
      {dialog.name === 'more' && <More />}
      {dialog.name === 'change' && <ChangeDialog {...dialog} />}
      {dialog.name === 'job' && <JobDialog job_id={dialog.job_id} />}
    </Suspense>
  );
}
