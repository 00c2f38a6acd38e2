// What a person can do. Each says how it went; the stream then brings the change, and where there
// is none the answers concerned are read again.
import { type QueryKey, useMutation, useQueryClient } from '@tanstack/react-query';
import { toast } from '../lib/toasts';
import { api, idempotencyKey, take } from './client';
import type {
  ActionBody,
  BulkBody,
  ExceptionBody,
  Job,
  JobDraft,
  NotificationStatus,
} from './contract';
import { ApiError, messageOf } from './errors';
import { keys } from './keys';

/** Resolves when what is shown of these has been read again. */
export function useOutdate(): (...queryKeys: QueryKey[]) => Promise<void> {
  const queries = useQueryClient();
  return async (...queryKeys) => {
    await Promise.all(queryKeys.map((queryKey) => queries.invalidateQueries({ queryKey })));
  };
}

export function tellFailure(error: Error): void {
  if (error instanceof ApiError && error.isConflict) {
    toast(`Already handled: ${messageOf(error)}`);
  } else {
    toast(messageOf(error), { tone: 'bad' });
  }
}

export const keyed = () => ({ 'Idempotency-Key': idempotencyKey() });

export interface EventAction {
  event_id: string;
  body: ActionBody;
}

/** Skips, moves or runs early a single slot that is to come. */
export function useSlotException() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: ({ event_id, body }: { event_id: string; body: ExceptionBody }) =>
      take(
        api.POST('/api/v1/ops/calendar/events/{event_id}/exception', {
          params: { path: { event_id }, header: keyed() },
          body,
        }),
      ),
    onError: tellFailure,
    onSettled: (_answer, _error, { event_id }) =>
      void outdate(keys.calendar.all, keys.jobs.all, keys.next, keys.explain(event_id)),
  });
}

/** Takes a skip or a move back. */
export function useUndoException() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (event_id: string) =>
      take(
        api.DELETE('/api/v1/ops/calendar/events/{event_id}/exception', {
          params: { path: { event_id } },
        }),
      ),
    onSuccess: () => toast('The slot is back at its time'),
    onError: tellFailure,
    onSettled: (_answer, _error, event_id) =>
      void outdate(keys.calendar.all, keys.jobs.all, keys.next, keys.explain(event_id)),
  });
}

/** Acts on a slot of the calendar. */
export function useEventAction() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: ({ event_id, body }: EventAction) =>
      take(
        api.POST('/api/v1/ops/calendar/events/{event_id}/action', {
          params: { path: { event_id }, header: keyed() },
          body,
        }),
      ),
    onError: tellFailure,
    onSettled: () => void outdate(keys.stasis.all, keys.calendar.all, keys.jobs.all),
  });
}

/** Takes the deletion of a missed slot back. */
export function useUndoDelete() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (event_id: string) =>
      take(
        api.POST('/api/v1/ops/stasis/{event_id}/undo', {
          params: { path: { event_id }, header: keyed() },
        }),
      ),
    onSuccess: () => toast('Back in stasis'),
    onError: tellFailure,
    onSettled: () => void outdate(keys.stasis.all, keys.calendar.all),
  });
}

/** Decides about many missed slots in one request. */
export function useBulkDecision() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (body: BulkBody) =>
      take(api.POST('/api/v1/ops/stasis/bulk', { params: { header: keyed() }, body })),
    onError: tellFailure,
    onSettled: () => void outdate(keys.stasis.all, keys.calendar.all),
  });
}

/** Runs a job now, in addition to its schedule; does not wait for its end. */
export function useRunJob() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (job: Pick<Job, 'job_id' | 'title'>) =>
      take(
        api.POST('/api/v1/cron/jobs/{job_id}/run', {
          params: { path: { job_id: job.job_id }, header: keyed() },
          body: { wait_seconds: 0 },
        }),
      ),
    onSuccess: ({ run }, job) =>
      toast(`Running ${job.title}`, {
        tone: 'good',
        link: { label: 'Show run', to: `/jobs/${job.job_id}?run=${run.run_id}` },
      }),
    onError: tellFailure,
    onSettled: () => void outdate(keys.runs.lists(), keys.jobs.list),
  });
}

/** Starts nothing more, and stops the gateway once its open runs have ended. */
export function useDrain() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: async () => {
      const { process_id } = await take(api.GET('/api/v1/ops/drain'));
      return take(api.POST('/api/v1/ops/drain', { body: { process_id } }));
    },
    onSuccess: ({ open_runs }) =>
      toast(open_runs === 1 ? 'Draining: 1 run is open' : `Draining: ${open_runs} runs are open`),
    onError: tellFailure,
    onSettled: () => void outdate(keys.health),
  });
}

export function useCancelRun() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (run_id: string) =>
      take(api.POST('/api/v1/cron/runs/{run_id}/cancel', { params: { path: { run_id } } })),
    onSuccess: () => toast('Cancelled'),
    onError: tellFailure,
    onSettled: (_answer, _error, run_id) => void outdate(keys.runs.one(run_id), keys.runs.lists()),
  });
}

/** Changes some fields of a job. The caller shows what is wrong with them. */
export function useEditJob() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: ({ job_id, fields }: { job_id: string; fields: JobDraft & { version?: number } }) =>
      take(api.PUT('/api/v1/cron/jobs/{job_id}', { params: { path: { job_id } }, body: fields })),
    onSuccess: (_answer, { job_id }) => void outdate(keys.jobs.list, keys.jobs.one(job_id)),
    onSettled: () => void outdate(keys.calendar.all, keys.next),
  });
}

export function useCreateJob() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (fields: JobDraft & { command: string }) =>
      take(api.POST('/api/v1/cron/jobs', { params: { header: keyed() }, body: fields })),
    onSuccess: ({ job }) => {
      toast(`Created ${job.title}`, {
        tone: 'good',
        link: { label: 'Open', to: `/jobs/${job.job_id}` },
      });
      void outdate(keys.jobs.all, keys.calendar.all, keys.next);
    },
  });
}

/** Pauses or resumes a job; pausing can be undone. */
export function useToggleJob() {
  const edit = useEditJob();
  return (job: Pick<Job, 'job_id' | 'title' | 'enabled' | 'off_label'>) => {
    const isOn = job.enabled && job.off_label === null;
    const set = (enabled: boolean) =>
      edit.mutateAsync({
        job_id: job.job_id,
        fields: enabled ? { enabled } : { enabled, off_label: 'paused' },
      });
    set(!isOn).then(
      () =>
        toast(`${isOn ? 'Paused' : 'Resumed'} ${job.title}`, {
          action: { label: 'Undo', run: () => void set(isOn).catch(tellFailure) },
        }),
      tellFailure,
    );
  };
}

export function useDeleteJob() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (job: Pick<Job, 'job_id' | 'title'>) =>
      take(api.DELETE('/api/v1/cron/jobs/{job_id}', { params: { path: { job_id: job.job_id } } })),
    onSuccess: (_answer, job) => toast(`Deleted ${job.title}`),
    onError: tellFailure,
    onSettled: () => void outdate(keys.jobs.list, keys.calendar.all, keys.next, keys.stasis.all),
  });
}

/** Lets jobs use a service again, before the time that its cooldown names. */
export function useClearResource() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (resource: string) =>
      take(api.POST('/api/v1/ops/resources/clear', { body: { resource } })),
    onSuccess: (_answer, resource) => toast(`Jobs use ${resource} again`),
    onError: tellFailure,
    onSettled: () => void outdate(keys.resources, keys.notifications),
  });
}

/** Makes a pool, or changes its size. */
export function usePutPool() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: ({ name, size }: { name: string; size: number }) =>
      take(api.PUT('/api/v1/ops/pools/{name}', { params: { path: { name } }, body: { size } })),
    onSuccess: (_answer, { name, size }) =>
      toast(`The pool ${name} executes up to ${size === 1 ? '1 run' : `${size} runs`}`),
    onError: tellFailure,
    onSettled: () => void outdate(keys.pools),
  });
}

export function useDeletePool() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (name: string) =>
      take(api.DELETE('/api/v1/ops/pools/{name}', { params: { path: { name } } })),
    onSuccess: (_answer, name) => toast(`The pool ${name} is removed`),
    onError: tellFailure,
    onSettled: () => void outdate(keys.pools),
  });
}

/** Makes a token for a calendar program; its secret is in this answer and nowhere else. */
export function useCreateFeedToken() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (name: string) =>
      take(api.PUT('/api/v1/auth/feed-tokens/{name}', { params: { path: { name } } })),
    onError: tellFailure,
    onSettled: () => void outdate(keys.feedTokens),
  });
}

export function useRevokeFeedToken() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (name: string) =>
      take(api.DELETE('/api/v1/auth/feed-tokens/{name}', { params: { path: { name } } })),
    onSuccess: (_answer, name) => toast(`The token ${name} is revoked`),
    onError: tellFailure,
    onSettled: () => void outdate(keys.feedTokens),
  });
}

/** Sends a test message to the channel of that name, or to each. */
export function useTestChannels() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (channel: string | undefined) =>
      take(api.POST('/api/v1/notify/channels/test', { body: channel ? { channel } : {} })),
    onError: tellFailure,
    onSettled: () => void outdate(keys.channels, keys.notifications),
  });
}

export interface NoteChange {
  id: string;
  status: NotificationStatus;
  snooze_minutes?: number;
}

export function useChangeNotification() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: ({ id, ...body }: NoteChange) =>
      take(
        api.PATCH('/api/v1/dashboard/notifications/{notification_id}', {
          params: { path: { notification_id: id } },
          body,
        }),
      ),
    onError: tellFailure,
    onSettled: () => void outdate(keys.notifications),
  });
}

export function useChangeNotifications() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (body: { status: NotificationStatus; ids: string[] }) =>
      take(api.POST('/api/v1/dashboard/notifications/bulk', { body })),
    onError: tellFailure,
    onSettled: () => void outdate(keys.notifications),
  });
}

export function useSetFlag() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: ({ name, value }: { name: string; value: '0' | '1' | null }) =>
      take(api.PATCH('/api/v1/ops/flags', { body: { [name]: value } })),
    onError: tellFailure,
    onSettled: () => void outdate(keys.flags, keys.config),
  });
}
