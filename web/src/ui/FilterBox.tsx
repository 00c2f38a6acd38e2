import { TextInput } from '@mantine/core';
import { type JSX, type RefObject, useState } from 'react';
import { Icon } from './icons';

interface FilterBoxProps {
  box: RefObject<HTMLInputElement | null>;
  label: string;
  placeholder: string;
  className: string | undefined;
  /** What the address has. */
  value: string;
  onChange: (value: string) => void;
}

/** A field whose text is kept in the address, which is a little slower than a fast typist. */
export function FilterBox(props: FilterBoxProps): JSX.Element {
  const { box, label, placeholder, className, value, onChange } = props;
  const [typed, setTyped] = useState<string | null>(null);
  return (
    <TextInput
      ref={box}
      size="xs"
      className={className}
      aria-label={label}
      placeholder={placeholder}
      leftSection={<Icon name="search" size={14} />}
      value={typed ?? value}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        onChange(event.currentTarget.value);
      }}
      onBlur={() => setTyped(null)}
    />
  );
}
