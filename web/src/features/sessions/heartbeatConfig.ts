// HEARTBEAT.json as a form: what is left empty is as the gateway's settings say.

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The configuration in a text; null when it is no JSON object. */
export function parseConfig(text: string): Json | null {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** `path` is a key, or two with a dot between them. */
export function valueAt(config: Json, path: string): unknown {
  const [first = '', second] = path.split('.');
  const value = config[first];
  if (second === undefined) return value;
  return isObject(value) ? value[second] : undefined;
}

/** The text with one value set, or left out where it is undefined; all other keys stay. */
export function withValue(text: string, path: string, value: unknown): string {
  const config = parseConfig(text);
  if (config === null) return text;
  const [first = '', second] = path.split('.');
  const next: Json = { ...config };
  if (second === undefined) next[first] = value;
  else {
    const inner = config[first];
    const merged: Json = { ...(isObject(inner) ? inner : {}), [second]: value };
    next[first] = Object.values(merged).every((each) => each === undefined) ? undefined : merged;
  }
  const isEmpty = Object.values(next).every((each) => each === undefined);
  return isEmpty ? '' : JSON.stringify(next, null, 2);
}
