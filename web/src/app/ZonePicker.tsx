import { type ComponentProps, type JSX, lazy, Suspense, useState } from 'react';
import { Icon } from '../ui/icons';
import { useZone } from './zone';
import styles from './ZonePicker.module.css';

const ZoneCombobox = lazy(() => import('./ZoneCombobox'));

interface ZoneButtonProps extends ComponentProps<'button'> {
  zone: string;
}

export function ZoneButton({ zone, ...rest }: ZoneButtonProps): JSX.Element {
  return (
    <button
      type="button"
      className={styles.button}
      aria-label={`Time zone: ${zone}. Changes display only`}
      title="Times are shown in this zone. Changes display only."
      {...rest}
    >
      <span className="clip">{zone.replaceAll('_', ' ')}</span>
      <Icon name="down" size={14} />
    </button>
  );
}

/** Names the zone that times are shown in; a click offers others. */
export function ZonePicker(): JSX.Element {
  const zone = useZone();
  const [isWanted, setWanted] = useState(false);
  const button = <ZoneButton zone={zone} onClick={() => setWanted(true)} />;
  if (!isWanted) return button;
  return (
    <Suspense fallback={button}>
      <ZoneCombobox />
    </Suspense>
  );
}
