// A change said in words: first what it would come to, and only then the change itself.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, idempotencyKey, take } from '../../api/client';
import { keys } from '../../api/keys';

export const useProposal = () =>
  useMutation({
    mutationFn: (asked: { event_id: string; instruction: string; timezone: string }) => {
      const { event_id, ...body } = asked;
      return take(
        api.POST('/api/v1/ops/calendar/events/{event_id}/change-request', {
          params: { path: { event_id } },
          body,
        }),
      );
    },
  });

export function useConfirmProposal() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (asked: { event_id: string; proposal_id: string; approve: boolean }) => {
      const { event_id, ...body } = asked;
      return take(
        api.POST('/api/v1/ops/calendar/events/{event_id}/change-request/confirm', {
          params: { path: { event_id }, header: { 'Idempotency-Key': idempotencyKey() } },
          body,
        }),
      );
    },
    onSettled: () => {
      for (const queryKey of [keys.jobs.all, keys.calendar.all, keys.next, keys.audit]) {
        void queries.invalidateQueries({ queryKey });
      }
    },
  });
}
