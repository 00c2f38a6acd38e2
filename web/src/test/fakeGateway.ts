// A gateway for tests and for trying the dashboard out: the contract's routes over demo data, held
// in memory. The built dashboard does not hold it.
import type {
  BusEvent,
  CalendarEvent,
  CalendarFeed,
  Job,
  Notification,
  Run,
  StasisItem,
} from '../api/contract';
import { workedOutDay } from '../calendar/days';
import { addDays, datesFrom } from '../lib/dates';
import { isoDate } from '../lib/time';
import {
  type Answer,
  comingOf,
  demoJobs,
  echoOf,
  fieldsOf,
  notesAt,
  ok,
  previewOf,
  runsOf,
  stasisOf,
} from './demoState';
import { demoEvents, demoRows } from './demoWeek';
import { feed, job, run } from './factories';
import { answerFixed } from './fakeAnswers';

const DAY = 86_400_000;

export interface FakeOptions {
  now: () => number;
  isEmpty?: boolean;
  token?: string;
  isPushOn?: boolean;
}

const problem = (status: number, detail: string): Answer => ({ status, body: { detail } });

export class FakeGateway {
  readonly events: BusEvent[] = [];
  readonly requests: string[] = [];
  readonly jobs: Job[];
  readonly runs: Run[];
  readonly notes: Notification[];
  stasis: StasisItem[];
  isPushOn: boolean;
  signedIn: boolean;
  private readonly slots = new Map<string, CalendarEvent>();
  private readonly streams = new Set<ReadableStreamDefaultController<Uint8Array>>();

  constructor(private readonly options: FakeOptions) {
    const now = options.now();
    const start = Math.floor(now / DAY) * DAY - 20 * DAY;
    const slots = options.isEmpty === true ? [] : demoEvents(start, 45, now);
    for (const slot of slots) this.slots.set(slot.event_id, slot);
    this.isPushOn = options.isPushOn ?? true;
    this.signedIn = options.token === undefined;
    this.jobs = options.isEmpty === true ? [] : demoJobs(slots, now);
    this.runs = runsOf(slots, now);
    this.stasis = stasisOf(slots, now);
    this.notes = options.isEmpty === true ? [] : notesAt(now);
  }

  get seq(): number {
    return 90_000 + this.events.length;
  }

  /** Puts an event into the log and onto every open stream. */
  emit(part: Partial<BusEvent> & Pick<BusEvent, 'type'>): void {
    const event: BusEvent = {
      source: 'cron',
      timestamp: new Date(this.options.now()).toISOString(),
      source_ref: '',
      owner_id: 'default',
      session_id: null,
      status: null,
      data: {},
      ...part,
      seq: this.seq + 1,
    };
    this.events.push(event);
    this.sendAll({
      kind: 'event',
      event,
      projection_version: this.version,
      projection_last_event_seq: event.seq,
    });
  }

  /** Lets a slot change, as a run of it would. */
  change(event_id: string, part: Partial<CalendarEvent>, type: string): void {
    const slot = this.slots.get(event_id);
    if (!slot) return;
    const row = { ...slot, ...part };
    this.slots.set(event_id, row);
    this.emit({ type, source: row.source, source_ref: row.source_ref, data: { rows: [row] } });
  }

  slotsNear(at: number): CalendarEvent[] {
    return [...this.slots.values()].filter(
      (slot) => Math.abs(slot.scheduled_at_epoch * 1000 - at) < 3_600_000,
    );
  }

  dropStreams(): void {
    for (const stream of this.streams) stream.close();
    this.streams.clear();
  }

  keepAlive(): void {
    this.sendAll({
      kind: 'heartbeat',
      seq: this.seq,
      projection_version: this.version,
      stream_id: 'demo',
    });
  }

  async handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    if (url.pathname.endsWith('/scheduling/stream')) return this.stream(request);
    const body: unknown = request.method === 'GET' ? null : await request.json().catch(() => null);
    const { status, body: answer } = this.answer(request.method, url, body);
    return Response.json(answer, {
      status,
      headers: status >= 400 ? { 'content-type': 'application/problem+json' } : {},
    });
  }

  private get version(): number {
    return 1_284 + this.events.length;
  }

  private sendAll(payload: object): void {
    const bytes = new TextEncoder().encode(`id: ${this.seq}\ndata: ${JSON.stringify(payload)}\n\n`);
    for (const stream of this.streams) stream.enqueue(bytes);
  }

  private stream(request: Request): Response {
    if (!this.signedIn) return new Response('', { status: 401 });
    if (!this.isPushOn) return new Response('Scheduling push stream disabled.', { status: 503 });
    let own: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller;
        this.streams.add(controller);
      },
      cancel: () => {
        if (own) this.streams.delete(own);
      },
    });
    request.signal.addEventListener('abort', () => own && this.streams.delete(own));
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  }

  private answer(method: string, url: URL, body: unknown): Answer {
    const { pathname } = url;
    if (pathname === '/config') return ok(this.config());
    if (pathname === '/api/v1/auth/login') return this.signIn(body);
    if (!this.signedIn) return problem(401, 'This needs the operator’s token.');
    const parts = pathname.split('/').slice(3).map(decodeURIComponent);
    return (
      this.answerCalendar(method, parts, url, body) ??
      this.answerCron(method, parts, body) ??
      this.answerNotes(method, parts, body) ??
      this.answerLog(parts, url) ??
      answerFixed(parts, url, body, this.options) ??
      problem(404, `There is no ${pathname}.`)
    );
  }

  private config(): unknown {
    return {
      sched_push_enabled: this.isPushOn,
      version: '0.1.0',
      auth_required: this.options.token !== undefined,
      signed_in: this.signedIn,
      user_timezone: 'UTC',
      poll_seconds: { calendar: 30, heartbeat: 20, continuity: 45 },
    };
  }

  private signIn(body: unknown): Answer {
    const given = typeof body === 'object' && body !== null && 'token' in body ? body.token : null;
    if (given !== this.options.token) return problem(401, 'That is not the token.');
    this.signedIn = true;
    return ok({ signed_in: true });
  }

  private feed(url: URL): CalendarFeed {
    const zone = url.searchParams.get('timezone_name') ?? 'UTC';
    const start = Date.parse(url.searchParams.get('start') ?? '');
    const end = Date.parse(url.searchParams.get('end') ?? '');
    const events = [...this.slots.values()]
      .filter(
        (slot) => slot.scheduled_at_epoch * 1000 >= start && slot.scheduled_at_epoch * 1000 < end,
      )
      .sort((a, b) => a.scheduled_at_epoch - b.scheduled_at_epoch);
    const first = isoDate(start, zone);
    const count = Math.round((end - start) / DAY);
    return feed({
      timezone: zone,
      start_utc: new Date(start).toISOString(),
      end_utc: new Date(end).toISOString(),
      days: datesFrom(first, count)
        .filter((date) => date <= addDays(first, count))
        .map((date) => workedOutDay(date, zone)),
      events,
      always_running:
        this.options.isEmpty === true ? [] : demoRows(start, count, this.options.now()),
      stasis_queue: this.stasis,
      version: this.version,
    });
  }

  private answerCalendar(method: string, parts: string[], url: URL, body: unknown): Answer | null {
    const [group, area, , event_id = '', verb] = parts;
    if (group !== 'ops') return null;
    if (area === 'calendar' && verb === undefined && event_id === '') return ok(this.feed(url));
    if (area === 'calendar' && verb === 'action') return this.act(event_id, body);
    if (area !== 'stasis') return null;
    if (parts[2] === 'bulk') {
      this.stasis = [];
      this.emit({ type: 'calendar_missed_resolved' });
      return ok({ results: [], done: 1, refused: 0 });
    }
    if (method === 'POST') return ok({ status: 'ok' });
    return ok({ stasis_queue: this.stasis, total: this.stasis.length });
  }

  private act(event_id: string, body: unknown): Answer {
    const action = typeof body === 'object' && body !== null && 'action' in body ? body.action : '';
    const item = this.stasis.find((each) => each.event_id === event_id);
    const resolves = ['approve_backfill_run', 'reschedule', 'delete_missed'];
    if (!resolves.includes(String(action))) return ok({ event_id, status: 'ok', action });
    if (!item) return problem(409, 'Somebody has already decided this.');
    this.stasis = this.stasis.filter((each) => each !== item);
    const row = { ...item.event, status: 'running' as const };
    this.emit({ type: 'calendar_missed_resolved', data: { rows: [row] } });
    const own = run({ job_id: item.event.source_ref, status: 'running' });
    return ok({ event_id, status: 'ok', action, run: own });
  }

  private answerCron(method: string, parts: string[], body: unknown): Answer | null {
    const [group, what, id, verb] = parts;
    if (group !== 'cron') return null;
    if (what === 'preview') return previewOf(body, this.options.now());
    if (what === 'next') return ok({ next: comingOf(this.jobs, this.options.now()) });
    if (what === 'runs' && id === undefined) return ok({ runs: this.runs, has_more: false });
    if (what === 'runs') {
      const found = this.runs.find((each) => each.run_id === id);
      return found ? ok({ run: found }) : problem(404, 'There is no such run.');
    }
    if (id === undefined) {
      if (method === 'GET')
        return ok({ jobs: this.jobs, total: this.jobs.length, next_cursor: null });
      const created = job({ ...fieldsOf(body), job_id: `made${this.jobs.length}` });
      this.jobs.push(created);
      this.emit({ type: 'cron_job_created', source_ref: created.job_id });
      return ok({ job: created, echo: echoOf(this.options.now()) });
    }
    const index = this.jobs.findIndex((each) => each.job_id === id);
    const found = this.jobs[index];
    if (!found) return problem(404, `There is no job '${id}'.`);
    if (verb === 'runs') {
      return ok({ runs: this.runs.filter((each) => each.job_id === id), has_more: false });
    }
    if (verb === 'run') return ok({ run: run({ job_id: id, status: 'running' }) });
    if (method === 'DELETE') {
      this.jobs.splice(index, 1);
      return ok({ status: 'deleted', job_id: id });
    }
    const fresh =
      method === 'PUT' ? { ...found, ...fieldsOf(body), version: found.version + 1 } : found;
    this.jobs[index] = fresh;
    if (method === 'PUT') this.emit({ type: 'cron_job_updated', source_ref: id });
    return ok({ job: fresh, echo: echoOf(this.options.now()) });
  }

  private answerNotes(method: string, parts: string[], body: unknown): Answer | null {
    const [group, what, id] = parts;
    if (group !== 'dashboard' || what !== 'notifications') return null;
    if (method === 'GET') return ok({ notifications: this.notes });
    const note = this.notes.find((each) => each.id === id);
    if (note) Object.assign(note, fieldsOf(body));
    return ok({ notification: note });
  }

  private answerLog(parts: string[], url: URL): Answer | null {
    if (parts.join('/') !== 'ops/scheduling/events') return null;
    const since = Number(url.searchParams.get('since_seq') ?? 0);
    return ok({
      events: this.events.filter((event) => event.seq > since),
      event_bus_seq: this.seq,
      projection_version: this.version,
      projection_last_event_seq: this.seq,
      stream_id: 'demo',
      oldest_seq: 1,
      has_more: false,
      gap: false,
    });
  }
}
