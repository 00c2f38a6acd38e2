import { Button, PasswordInput } from '@mantine/core';
import '@mantine/core/styles/PasswordInput.css';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type JSX, useEffect, useState } from 'react';
import { api } from '../api/client';
import { ApiError, messageOf } from '../api/errors';
import { usePushClient } from '../push/context';
import { setPageTitle } from '../ui/pageTitle';
import styles from './SignIn.module.css';

/** Asks for the operator's token and changes it for a cookie; the token itself is not kept. */
export function SignIn(): JSX.Element {
  const [token, setToken] = useState('');
  const queries = useQueryClient();
  const push = usePushClient();
  useEffect(() => setPageTitle('Sign in'), []);
  const signIn = useMutation({
    mutationFn: (given: string) => api.POST('/api/v1/auth/login', { body: { token: given } }),
    onSuccess: async () => {
      setToken('');
      await queries.resetQueries();
      push.send({ type: 'signed_in' });
    },
  });
  const { error } = signIn;
  const isWrong = error instanceof ApiError && error.isUnauthorized;
  return (
    <main className={styles.page}>
      <form
        className={styles.card}
        onSubmit={(event) => {
          event.preventDefault();
          signIn.mutate(token.trim());
        }}
      >
        <h1>Sign in</h1>
        <p className="muted">
          The gateway asks for its operator token. It was shown when it was made with{' '}
          <code>ua token new</code>, and is kept in <code>ops_token</code> in the data directory, or
          in <code>UA_OPS_TOKEN</code>.
        </p>
        <PasswordInput
          label="Operator token"
          size="sm"
          autoFocus
          autoComplete="current-password"
          value={token}
          onChange={(event) => setToken(event.currentTarget.value)}
          error={error && (isWrong ? 'That is not the token.' : messageOf(error))}
        />
        <Button
          type="submit"
          variant="filled"
          size="sm"
          loading={signIn.isPending}
          disabled={token.trim() === ''}
        >
          Sign in
        </Button>
      </form>
    </main>
  );
}
