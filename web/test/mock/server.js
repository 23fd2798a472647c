// A stand-in for `firebreak serve` on loopback: serves dist under a strict
// content security policy and speaks the page's API with generated traffic.
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoEstate, madeEstate } from './estate.js';
import { agents, plain, Traffic } from './traffic.js';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };
const TICK_MS = 5;

/** Scenarios by name: the estate, flows a second, and what is special. */
export const SCENARIOS = {
  demo: () => ({ estate: demoEstate(), rate: 60 }),
  quiet: () => ({ estate: demoEstate(), rate: 60, attack: false }),
  recorded: () => ({ estate: demoEstate(), rate: 60, recorded: true }),
  lossy: () => ({ estate: demoEstate(), rate: 60, lost: 1204, agents: { 'host-app': { lost: 1204 }, 'host-data': { connected: false }, 'host-web': { error: 'policy/shop.yaml:15:3: unknown-reference: no service is called "oders"' } } }),
  empty: () => ({ estate: { estate: '', zones: [], services: [], rules: [], paths: [] }, rate: 0, agents: null }),
  idle: () => ({ estate: { ...demoEstate(), paths: [] }, rate: 0 }),
  fifty: () => ({ estate: madeEstate(50, 5), rate: 200 }),
  huge: () => ({ estate: madeEstate(2000, 12), rate: 400, all: true }),
  flood: () => ({ estate: demoEstate(), rate: 20_000 }),
};

/** Starts a server; port 0 picks one. Returns {url, port, traffic, stop, push}. */
export async function startMock(name = 'demo', { port = 0 } = {}) {
  const s = SCENARIOS[name]();
  const traffic = new Traffic(s.estate);
  traffic.attack = s.attack !== false;
  const streams = new Set();
  let seq = 0;
  const started = Date.now();
  const old = s.rate ? traffic.history(started, Math.min(s.rate, 400)) : [];
  if (s.all) for (const p of s.estate.paths) traffic.flow(started - 1000, p);
  traffic.totals.lost = s.lost ?? 0;
  const agentList = () => (s.agents === null ? [] : agents(Date.now(), s.agents));

  const snapshot = () => ({
    now: new Date().toISOString(), estate: s.estate.estate, zones: s.estate.zones, services: s.estate.services, rules: s.estate.rules,
    agents: agentList(), edges: [...traffic.edges.values()].map(plain), totals: traffic.totals, flows: traffic.ring.slice(-500).reverse(),
    bins: old.filter((b) => b.tick * 10 > Date.now() - 60_000), ...(s.recorded ? { recorded: true } : {}),
  });
  const send = (res, event, value) => res.write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`);
  const push = (batch) => {
    const whole = { now: new Date().toISOString(), seq: ++seq, ...batch };
    for (const res of streams) send(res, 'batch', whole);
  };

  const server = createServer((req, res) => {
    const url = new URL(req.url, 'http://x');
    if (url.pathname === '/api/v1/snapshot') return json(res, snapshot());
    if (url.pathname === '/api/v1/flows') return json(res, flowsFor(traffic, url.searchParams));
    if (url.pathname === '/api/v1/stream') {
      res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      send(res, 'snapshot', snapshot());
      streams.add(res);
      return res.on('close', () => streams.delete(res));
    }
    file(res, url.pathname);
  });

  let [last, owed, second] = [Date.now(), 0, 0];
  const timer = setInterval(() => {
    const now = Date.now();
    // A machine too busy to keep the rate must not be given ever larger batches.
    owed = Math.min(owed + ((now - last) / 1000) * s.rate, Math.max(5, s.rate * 0.05));
    last = now;
    const n = Math.floor(owed);
    owed -= n;
    const batch = n > 0 ? traffic.batch(now, n) : {};
    if (now - second >= 1000) {
      second = now;
      Object.assign(batch, { agents: agentList(), totals: traffic.totals });
    }
    if (Object.keys(batch).length) push(batch);
  }, TICK_MS);

  await new Promise((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`, port: server.address().port, traffic, push,
    async stop() {
      clearInterval(timer);
      for (const res of streams) res.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function flowsFor(traffic, q) {
  const limit = Math.min(Number(q.get('limit') ?? 500), 10_000);
  const name = (f, end) => f[`${end}Service`] || f[end];
  const out = [];
  for (let i = traffic.ring.length - 1; i >= 0 && out.length < limit; i--) {
    const f = traffic.ring[i];
    if (q.has('verdict') && f.verdict !== q.get('verdict')) continue;
    if (q.has('from') && name(f, 'from') !== q.get('from')) continue;
    if (q.has('to') && name(f, 'to') !== q.get('to')) continue;
    out.push(f);
  }
  return out;
}

function json(res, value) {
  res.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  res.end(JSON.stringify(value));
}

function file(res, path) {
  const name = normalize(path).replace(/^(\.\.[/\\])+/, '');
  let full = join(DIST, name);
  if (!extname(name)) full = join(DIST, 'index.html');
  if (!full.startsWith(DIST) || !existsSync(full)) {
    res.writeHead(404).end();
    return;
  }
  res.writeHead(200, {
    'content-type': TYPES[extname(full)] ?? 'application/octet-stream',
    'content-security-policy': "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    'x-content-type-options': 'nosniff',
  });
  createReadStream(full).pipe(res);
}
