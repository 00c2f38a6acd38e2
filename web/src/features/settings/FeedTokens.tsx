import { Button, TextInput } from '@mantine/core';
import { type JSX, useState } from 'react';
import { useCreateFeedToken, useRevokeFeedToken } from '../../api/actions';
import { useFeedTokens } from '../../api/queries';
import { BASE } from '../../lib/base';
import { copyText } from '../../lib/clipboard';
import { instant } from '../../lib/time';
import { Confirm } from '../../ui/Confirm';
import { Loaded } from '../../ui/Loaded';
import { Panel } from '../../ui/Panel';
import { When } from '../../ui/times';
import styles from './Pools.module.css';

interface TokenShown {
  name: string;
  created_at: string;
  created_by: string;
}

/** The addresses by which calendar programs read the calendar: made, shown once, and revoked. */
export function FeedTokens(): JSX.Element {
  const query = useFeedTokens();
  const create = useCreateFeedToken();
  const [name, setName] = useState('');
  return (
    <Panel title="Calendar subscriptions">
      <Loaded query={query} what="the subscriptions">
        {(tokens) =>
          tokens.length === 0 ? (
            <p className={`${styles.pool} muted`}>
              A calendar program reads the calendar by an address of its own, and nothing else.
            </p>
          ) : (
            <ul>
              {tokens.map((token) => (
                <TokenRow key={token.name} of={token} />
              ))}
            </ul>
          )
        }
      </Loaded>
      {create.data !== undefined && <NewAddress path={create.data.path} name={create.data.name} />}
      <form
        className={styles.pool}
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate(name.trim(), { onSuccess: () => setName('') });
        }}
      >
        <TextInput
          className={styles.text}
          aria-label="Name of a new subscription"
          placeholder="A new subscription, such as phone"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Button type="submit" disabled={name.trim() === ''} loading={create.isPending}>
          Make an address
        </Button>
      </form>
    </Panel>
  );
}

function NewAddress({ name, path }: { name: string; path: string }): JSX.Element {
  const address = `${window.location.origin}${BASE}${path}`;
  return (
    <div className={styles.pool}>
      <TextInput
        className={styles.text}
        label={`The address of ${name}`}
        description="It is shown only now. Everyone who has it can read the calendar."
        readOnly
        value={address}
        onFocus={(event) => event.currentTarget.select()}
      />
      <Button onClick={() => void copyText(address, 'the address')}>Copy</Button>
    </div>
  );
}

function TokenRow({ of: token }: { of: TokenShown }): JSX.Element {
  const revoke = useRevokeFeedToken();
  const [isAsked, setIsAsked] = useState(false);
  const close = () => setIsAsked(false);
  return (
    <li className={styles.pool}>
      <div className={styles.text}>
        <b>{token.name}</b>
        <span className="muted">
          Made by {token.created_by}, <When at={instant(token.created_at)} />
        </span>
      </div>
      <Button variant="subtle" onClick={() => setIsAsked(true)}>
        Revoke
      </Button>
      {isAsked && (
        <Confirm
          title={`Revoke ${token.name}?`}
          verb="Revoke"
          isBusy={revoke.isPending}
          onConfirm={() => revoke.mutate(token.name, { onSettled: close })}
          onClose={close}
        >
          The calendar program that has its address reads nothing any more.
        </Confirm>
      )}
    </li>
  );
}
