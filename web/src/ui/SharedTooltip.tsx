import { type JSX, type ReactNode, useEffect, useRef, useState } from 'react';
import styles from './SharedTooltip.module.css';

interface Shown {
  lines: string[];
  x: number;
  y: number;
  isAbove: boolean;
}

const DELAY_MS = 250;

function tipAt(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('[data-tip]') : null;
}

function place(element: HTMLElement): Shown {
  const box = element.getBoundingClientRect();
  const isAbove = box.bottom > window.innerHeight - 140;
  const x = Math.min(Math.max(box.left + box.width / 2, 150), window.innerWidth - 150);
  const lines = (element.dataset.tip ?? '').split('\n');
  return { lines, x, y: isAbove ? box.top - 8 : box.bottom + 8, isAbove };
}

/** One tooltip for everything inside that carries `data-tip`: hundreds of them would be slow. */
export function SharedTooltip({ children }: { children: ReactNode }): JSX.Element {
  const area = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState<Shown | null>(null);
  useEffect(() => {
    const root = area.current;
    if (!root) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let present: HTMLElement | null = null;
    const show = (event: Event) => {
      const element = tipAt(event.target);
      if (element === present) return;
      present = element;
      clearTimeout(timer);
      if (element === null) setShown(null);
      else timer = setTimeout(() => setShown(place(element)), DELAY_MS);
    };
    const hide = () => {
      present = null;
      clearTimeout(timer);
      setShown(null);
    };
    const onKey = (event: KeyboardEvent) => event.key === 'Escape' && hide();
    root.addEventListener('pointerover', show);
    root.addEventListener('focusin', show);
    root.addEventListener('pointerleave', hide);
    root.addEventListener('focusout', hide);
    root.addEventListener('click', hide);
    document.addEventListener('keydown', onKey);
    document.addEventListener('scroll', hide, true);
    return () => {
      clearTimeout(timer);
      root.removeEventListener('pointerover', show);
      root.removeEventListener('focusin', show);
      root.removeEventListener('pointerleave', hide);
      root.removeEventListener('focusout', hide);
      root.removeEventListener('click', hide);
      document.removeEventListener('keydown', onKey);
      document.removeEventListener('scroll', hide, true);
    };
  }, []);
  return (
    <div ref={area}>
      {children}
      {shown && (
        <div
          role="tooltip"
          className={styles.tip}
          data-above={shown.isAbove}
          style={{ left: shown.x, top: shown.y }}
        >
          {shown.lines.map((line, index) => (
            <div key={index}>{line}</div>
          ))}
        </div>
      )}
    </div>
  );
}
