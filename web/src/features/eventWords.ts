// The events of the log in words.

const WORDS: Record<string, string> = {
  cron_job_created: 'Job created',
  cron_job_updated: 'Job edited',
  cron_job_deleted: 'Job deleted',
  cron_run_queued: 'Run queued',
  cron_run_started: 'Run started',
  cron_run_completed: 'Run succeeded',
  cron_run_failed: 'Run failed',
  cron_run_missed: 'Slots missed',
  cron_run_skipped: 'Slot skipped',
  cron_retry_dropped: 'Retry dropped',
  heartbeat_scheduled: 'Heartbeat planned',
  heartbeat_removed: 'Heartbeat ended',
  heartbeat_queued: 'Beat queued',
  heartbeat_started: 'Beat started',
  heartbeat_completed: 'Beat succeeded',
  heartbeat_failed: 'Beat failed',
  heartbeat_missed: 'Beats missed',
  heartbeat_skipped: 'Beat skipped',
  heartbeat_retry_dropped: 'Retry of a beat dropped',
  heartbeat_wake_requested: 'Beat requested',
  calendar_missed_resolved: 'Missed slot decided',
  calendar_change_applied: 'Change made',
  calendar_replanned: 'Slots planned again',
  clock_set_back: 'Clock set back',
  zone_rules_changed: 'Zone rules changed',
  notification_changed: 'Notification',
  channel_changed: 'Channel of notifications',
  pool_changed: 'Pool changed',
  resource_cooldown_opened: 'Service away',
  resource_cooldown_prolonged: 'Service still away',
  resource_cooldown_closed: 'Service is back',
  flag_changed: 'Switch changed',
};

/** Run succeeded; for a type without words of its own, its name. */
export function eventWords(type: string): string {
  const name = type.replaceAll('_', ' ');
  return WORDS[type] ?? name.charAt(0).toUpperCase() + name.slice(1);
}
