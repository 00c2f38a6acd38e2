import type { Job } from '../../api/contract';
import { WordBadge } from '../../ui/StatusBadge';
import { stateOf } from './jobState';

export const JobState = ({ job }: { job: Job }) => {
  const { label, glyph, tone } = stateOf(job);
  return <WordBadge label={label} glyph={glyph} tone={tone} />;
};
