import '@mantine/spotlight/styles.css';
import { useMantineColorScheme } from '@mantine/core';
import { createSpotlight, Spotlight, type SpotlightActionGroupData } from '@mantine/spotlight';
import { type JSX, useEffect, useMemo } from 'react';
import { useNavigate } from 'react-router';
import { useRunJob } from '../api/actions';
import { useJobs } from '../api/queries';
import { Icon } from '../ui/icons';
import { closeDialog, openDialog } from './dialogs';
import { PAGES } from './pages';

const [store, spotlight] = createSpotlight();

type Actions = SpotlightActionGroupData['actions'];

function useCommands(): Actions {
  const { setColorScheme } = useMantineColorScheme();
  return useMemo(
    () => [
      {
        id: 'new-job',
        label: 'Create a job…',
        leftSection: <Icon name="plus" />,
        onClick: () => openDialog({ name: 'job' }),
      },
      {
        id: 'change',
        label: 'Request change…',
        description: 'Say it in words, see it before it happens',
        leftSection: <Icon name="changes" />,
        onClick: () => openDialog({ name: 'change' }),
      },
      {
        id: 'light',
        label: 'Light theme',
        leftSection: <Icon name="sun" />,
        onClick: () => setColorScheme('light'),
      },
      {
        id: 'dark',
        label: 'Dark theme',
        leftSection: <Icon name="moon" />,
        onClick: () => setColorScheme('dark'),
      },
      {
        id: 'help',
        label: 'Keyboard shortcuts',
        leftSection: <Icon name="bolt" />,
        onClick: () => openDialog({ name: 'help' }),
      },
    ],
    [setColorScheme],
  );
}

/** Everything that can be gone to or done, found by typing. */
export default function Palette(): JSX.Element {
  const navigate = useNavigate();
  const { data: jobs = [] } = useJobs();
  const runJob = useRunJob();
  const commands = useCommands();
  useEffect(() => spotlight.open(), []);
  const groups: SpotlightActionGroupData[] = [
    { group: 'Commands', actions: commands },
    {
      group: 'Pages',
      actions: PAGES.map((page) => ({
        id: page.path,
        label: page.label,
        leftSection: <Icon name={page.icon} />,
        onClick: () => void navigate(page.path),
      })),
    },
    {
      group: 'Jobs',
      actions: jobs.flatMap((job) => [
        {
          id: `open ${job.job_id}`,
          label: job.title,
          description: job.description,
          leftSection: <Icon name="jobs" />,
          onClick: () => void navigate(`/jobs/${job.job_id}`),
        },
        {
          id: `run ${job.job_id}`,
          label: `Run now: ${job.title}`,
          leftSection: <Icon name="play" />,
          onClick: () => runJob.mutate(job),
        },
      ]),
    },
  ];
  return (
    <Spotlight
      store={store}
      actions={groups}
      shortcut={null}
      limit={30}
      nothingFound="Nothing found"
      highlightQuery
      scrollable
      maxHeight={420}
      lockScroll={false}
      onSpotlightClose={() => closeDialog('palette')}
      searchProps={{
        placeholder: 'Search pages, jobs and commands',
        'aria-label': 'Search pages, jobs and commands',
        leftSection: <Icon name="search" />,
      }}
    />
  );
}
