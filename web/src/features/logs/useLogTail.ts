import { useEffect, useRef, useState } from 'react';
import { type Followed, LogFollower, type LogSource, readerOf, START } from './follower';

/** Follows a log from its end. Only a visible page asks, and only while more may come. */
export function useLogTail(source: LogSource, mayGrow: boolean): Followed {
  const [state, setState] = useState(START);
  const [shown, setShown] = useState('');
  const follower = useRef<LogFollower | null>(null);
  const key = JSON.stringify(source);
  if (shown !== key) {
    setShown(key);
    setState(START);
  }
  useEffect(() => {
    const made = new LogFollower(readerOf(JSON.parse(key) as LogSource), setState);
    follower.current = made;
    const onVisible = () => {
      if (!document.hidden) void made.ask();
    };
    document.addEventListener('visibilitychange', onVisible);
    return () => {
      made.stop();
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, [key]);
  useEffect(() => {
    follower.current?.setGrowing(mayGrow);
  }, [key, mayGrow]);
  return state;
}
