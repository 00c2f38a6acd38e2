// What counts as a failure of a job, as fields of a form.

export interface FailOnDraft {
  preset: string;
  /** One text a line. */
  output: string;
  missing: string;
  stderr: string;
  /** 2, 3 */
  exit_codes: string;
  /** An object, as JSON. */
  json: string;
}

export const PRESETS = ['claude', 'codex', 'gemini', 'opencode', 'none'] as const;

export const NO_RULES: FailOnDraft = {
  preset: '',
  output: '',
  missing: '',
  stderr: '',
  exit_codes: '',
  json: '',
};

const TEXTS = ['output', 'missing', 'stderr'] as const;

const listOf = (value: unknown): unknown[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];

export function failOnDraft(rules: unknown): FailOnDraft {
  if (typeof rules === 'string') return { ...NO_RULES, preset: rules };
  if (typeof rules !== 'object' || rules === null) return NO_RULES;
  const of = (name: string): unknown => Reflect.get(rules, name);
  const json = of('json');
  const preset = of('preset');
  return {
    preset: typeof preset === 'string' ? preset : '',
    output: listOf(of('output')).join('\n'),
    missing: listOf(of('missing')).join('\n'),
    stderr: listOf(of('stderr')).join('\n'),
    exit_codes: listOf(of('exit_codes')).join(', '),
    json: json === undefined || json === null ? '' : JSON.stringify(json, null, 2),
  };
}

const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** The rules; null when there are none, undefined when what is entered cannot be sent. */
export function failOnOf(draft: FailOnDraft): Record<string, unknown> | null | undefined {
  const rules: Record<string, unknown> = {};
  if (draft.preset !== '') rules.preset = draft.preset;
  for (const name of TEXTS) {
    const wanted = lines(draft[name]);
    if (wanted.length > 0) rules[name] = wanted;
  }
  const codes = draft.exit_codes.split(',').map((code) => code.trim());
  const exit_codes = codes.filter((code) => code !== '').map(Number);
  if (exit_codes.some((code) => !Number.isInteger(code))) return undefined;
  if (exit_codes.length > 0) rules.exit_codes = exit_codes;
  if (draft.json.trim() !== '') {
    try {
      const json: unknown = JSON.parse(draft.json);
      if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
      rules.json = json;
    } catch {
      return undefined;
    }
  }
  return Object.keys(rules).length > 0 ? rules : null;
}

/** The rules in a sentence, for a person who looks at the job. */
export function failOnWords(rules: unknown): string | null {
  const draft = failOnDraft(rules);
  const parts = [
    draft.preset === '' ? '' : `what ${draft.preset} calls a failure`,
    ...lines(draft.output).map((text) => `“${text}” in the output`),
    ...lines(draft.missing).map((text) => `no “${text}” in the output`),
    ...lines(draft.stderr).map((text) => `“${text}” on stderr`),
    draft.exit_codes === '' ? '' : `exit code ${draft.exit_codes}`,
    draft.json === '' ? '' : 'fields of its JSON',
  ].filter((part) => part !== '');
  return parts.length === 0 ? null : parts.join('; ');
}
