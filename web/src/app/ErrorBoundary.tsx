import { Button } from '@mantine/core';
import { Component, type ReactNode } from 'react';
import { messageOf } from '../api/errors';
import { EmptyState } from '../ui/EmptyState';

interface State {
  error: Error | null;
}

/** Keeps a page's failure to that page. */
export class ErrorBoundary extends Component<{ children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: Error): State {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <EmptyState
        title="This page had a problem"
        actions={
          <Button variant="filled" onClick={() => this.setState({ error: null })}>
            Try again
          </Button>
        }
      >
        {messageOf(error)}
      </EmptyState>
    );
  }
}
