import { Button } from '@mantine/core';
import { type JSX, useState } from 'react';
import { useTestChannels } from '../../api/actions';
import type { Channel, ChannelResult } from '../../api/contract';
import { useChannels } from '../../api/queries';
import { instant } from '../../lib/time';
import { EmptyState } from '../../ui/EmptyState';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { WordBadge } from '../../ui/StatusBadge';
import table from '../../ui/table.module.css';
import { Ago, When } from '../../ui/times';

/** The ways to people beyond the dashboard, with their states and tests. */
export function Channels(): JSX.Element {
  const query = useChannels();
  const test = useTestChannels();
  const [results, setResults] = useState<Record<string, ChannelResult>>({});
  const send = (channel?: string) =>
    test.mutate(channel, {
      onSuccess: ({ results: found }) =>
        setResults((old) => ({
          ...old,
          ...Object.fromEntries(found.map((one) => [one.channel, one])),
        })),
    });
  const hasChannels = (query.data?.length ?? 0) > 0;
  return (
    <Panel
      title="Channels"
      count={query.data?.length}
      actions={
        hasChannels && (
          <Button loading={test.isPending} onClick={() => send()}>
            Test all
          </Button>
        )
      }
    >
      <Loaded query={query} what="the channels" lines={3}>
        {(channels) =>
          channels.length === 0 ? (
            <EmptyState title="No channels">
              Notifications are delivered to mail, chat or webhooks when UA_NOTIFY_URLS or
              UA_NOTIFY_CHANNELS is set.
            </EmptyState>
          ) : (
            <div className={table.scroll}>
              <table className={table.table}>
                <thead>
                  <tr>
                    <th>Channel</th>
                    <th>State</th>
                    <th>Gets</th>
                    <th>Last delivery</th>
                    <th className={table.right}>Waiting</th>
                    <th>
                      <span className="sr-only">Test</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {channels.map((channel) => (
                    <ChannelRow
                      key={channel.name}
                      channel={channel}
                      result={results[channel.name]}
                      isBusy={test.isPending}
                      onTest={() => send(channel.name)}
                    />
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
    </Panel>
  );
}

const LOOKS = {
  ok: { glyph: '✓', tone: 'ok', label: 'ok' },
  failing: { glyph: '!', tone: 'miss', label: 'failing' },
  down: { glyph: '✕', tone: 'bad', label: 'down' },
} as const satisfies Record<Channel['status'], unknown>;

const GETS: Record<string, string> = {
  info: 'everything',
  warning: 'warnings and errors',
  error: 'errors',
};

function rules(channel: Channel): string {
  const found = [GETS[channel.severity] ?? channel.severity];
  if (channel.quiet_hours) found.push(`quiet ${channel.quiet_hours}`);
  if (channel.digest) found.push(`digest at ${channel.digest}`);
  if ((channel.quiet_hours || channel.digest) && !channel.urgent) found.push('errors wait too');
  if (!channel.reminders) found.push('no reminders');
  return found.join(', ');
}

interface ChannelRowProps {
  channel: Channel;
  /** The answer to the last test on this page. */
  result: ChannelResult | undefined;
  isBusy: boolean;
  onTest: () => void;
}

function ChannelRow({ channel, result, isBusy, onTest }: ChannelRowProps): JSX.Element {
  const { name, service, status, error, probe_at } = channel;
  return (
    <tr>
      <td>
        <b>{name}</b> <span className="muted">{service}</span>
      </td>
      <td>
        <WordBadge {...LOOKS[status]} />
        {status !== 'ok' && (
          <p className="muted">
            {error}
            {probe_at !== null && (
              <>
                ; tried again <When at={instant(probe_at)} />
              </>
            )}
          </p>
        )}
        {result && (
          <p role="status" className="muted">
            Test: {result.answer}
          </p>
        )}
      </td>
      <td>{rules(channel)}</td>
      <td>
        <Ago
          at={channel.delivered_at === null ? null : instant(channel.delivered_at)}
          none="none"
        />
      </td>
      <td className={table.right}>{channel.pending}</td>
      <td className={table.right}>
        <Button disabled={isBusy} aria-label={`Test ${name}`} onClick={onTest}>
          Test
        </Button>
      </td>
    </tr>
  );
}
