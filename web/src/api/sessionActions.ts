// What a person can do with sessions and their heartbeats.
import { useMutation } from '@tanstack/react-query';
import { toast } from '../lib/toasts';
import { keyed, tellFailure, useOutdate } from './actions';
import { api, take } from './client';
import { keys } from './keys';
import type { components } from './schema.gen';

type Schemas = components['schemas'];

export function useWake() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (body: { session_id: string; mode: 'now' | 'next' }) =>
      take(api.POST('/api/v1/heartbeat/wake', { body: { ...body, reason: 'dashboard' } })),
    onSuccess: (_answer, { mode }) =>
      toast(mode === 'now' ? 'Waking now' : 'Will join the next beat', { tone: 'good' }),
    onError: tellFailure,
    onSettled: () => void outdate(keys.heartbeats),
  });
}

export interface NewSession {
  user_id: string;
  /** Its folder, which is also its name; empty: one that is called by its id. */
  name: string;
  checklist: string;
}

/** Creates a session, with a first checklist where there is one. */
export function useCreateSession() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: async ({ user_id, name, checklist }: NewSession) => {
      const body = { user_id, source: 'dashboard', ...(name !== '' && { workspace_dir: name }) };
      const session = await take(
        api.POST('/api/v1/sessions', { params: { header: keyed() }, body }),
      );
      if (checklist.trim() !== '') {
        const params = { query: { session_id: session.session_id } };
        await take(api.PUT('/api/v1/heartbeat/files', { params, body: { checklist } }));
      }
      return session;
    },
    onSuccess: ({ session_id, workspace_dir }) =>
      toast(`Created the session ${workspace_dir.split('/').at(-1) ?? ''}`, {
        tone: 'good',
        link: { label: 'Open', to: `/sessions?id=${session_id}` },
      }),
    onSettled: () => void outdate(keys.sessions, keys.heartbeats),
  });
}

/** Replaces a session's heartbeat files. The caller shows what is wrong with them. */
export function useSaveHeartbeatFiles(session_id: string) {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (body: Schemas['FilesBody']) =>
      take(api.PUT('/api/v1/heartbeat/files', { params: { query: { session_id } }, body })),
    onSuccess: () => toast('Saved the heartbeat', { tone: 'good' }),
    onSettled: () => void outdate(keys.files(session_id), keys.heartbeats),
  });
}

/** Switches a session's beats off or on. */
export function useSwitchBeats() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: ({ session_id, isOn }: { session_id: string; isOn: boolean }) =>
      take(
        api.POST('/api/v1/ops/calendar/events/{event_id}/action', {
          params: { path: { event_id: `heartbeat|${session_id}|0` }, header: keyed() },
          body: { action: isOn ? 'resume' : 'pause' },
        }),
      ),
    onSuccess: (_answer, { isOn }) => toast(isOn ? 'Heartbeat resumed' : 'Heartbeat paused'),
    onError: tellFailure,
    onSettled: () => void outdate(keys.heartbeats, keys.calendar.all),
  });
}

export function useCancelSession() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (session_id: string) =>
      take(
        api.POST('/api/v1/ops/sessions/{session_id}/cancel', {
          params: { path: { session_id } },
        }),
      ),
    onSuccess: () => toast('Cancelled what it was doing'),
    onError: tellFailure,
    onSettled: () => void outdate(keys.sessions, keys.heartbeats),
  });
}

export function useDeleteSession() {
  const outdate = useOutdate();
  return useMutation({
    mutationFn: (session_id: string) =>
      take(
        api.DELETE('/api/v1/ops/sessions/{session_id}', {
          params: { path: { session_id }, query: { confirm: true } },
        }),
      ),
    onSuccess: () => toast('Session deleted'),
    onError: tellFailure,
    onSettled: () => void outdate(keys.sessions, keys.heartbeats),
  });
}
