// Serves the built dashboard over the fake gateway, with the headers of the real one:
//   npx vite build --ssr src/test/serve.ts --outDir OUT && node OUT/serve.js PORT [empty]
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, resolve } from 'node:path';
import { FakeGateway } from './fakeGateway';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const [port = '8702', mode = ''] = process.argv.slice(2);
const built = resolve(process.env.UA_WEB_DIST ?? '../src/universal_agent/web_dist');
const gateway = new FakeGateway({
  now: Date.now,
  isEmpty: mode === 'empty',
  ...(mode === 'token' && { token: 'secret' }),
  isPushOn: mode !== 'nopush',
});

async function page(path: string, response: ServerResponse): Promise<void> {
  const name = extname(path) === '' ? '/index.html' : path;
  try {
    const content = await readFile(join(built, name));
    response.writeHead(200, {
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      'content-security-policy': POLICY,
    });
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

async function ask(message: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const { method = 'GET', url = '/' } = message;
  const body = method === 'GET' ? null : new Uint8Array(await bodyOf(message));
  const request = new Request(`http://localhost${url}`, { method, body, signal: gone.signal });
  const answer = await gateway.handle(request);
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body === null) {
    response.end();
    return;
  }
  response.flushHeaders();
  const reader = answer.body.getReader();
  response.on('close', () => void reader.cancel().catch(() => null));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    response.write(value);
  }
  response.end();
}

createServer((message, response) => {
  const path = new URL(message.url ?? '/', 'http://localhost').pathname;
  const work =
    path.startsWith('/api/') || path === '/config' ? ask(message, response) : page(path, response);
  work.catch(() => response.destroy());
}).listen(Number(port), '127.0.0.1');

setInterval(() => gateway.keepAlive(), 20_000);
// Something happens all the time.
setInterval(() => {
  const near = gateway.slotsNear(Date.now());
  const slot = near[Math.floor(Math.random() * near.length)];
  if (slot) gateway.change(slot.event_id, { status: 'success' }, 'cron_run_completed');
}, 4_000);
