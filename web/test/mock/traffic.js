// Turns an estate into flows, edges and bins as the server would send them.
import { seeded } from './random.js';

const hosts = { web: 'host-web', app: 'host-app', data: 'host-data' };
const BINS_PER_MINUTE = 6000;

/** Makes traffic for an estate. The same seed makes the same traffic. */
export class Traffic {
  constructor(estate, { seed = 1, v6 = 0.25 } = {}) {
    this.estate = estate;
    this.r = seeded(seed);
    this.v6 = v6;
    this.services = new Map(estate.services.map((s, i) => [s.name, { ...s, i }]));
    this.edges = new Map();
    this.totals = { forwarded: 0, dropped: 0, audited: 0, unjudged: 0, lost: 0 };
    this.ring = []; // newest last
    this.weights = estate.paths.reduce((n, p) => n + p.weight, 0);
    this.attack = true;
    this.ids = 0;
  }

  ruleOf(name) {
    const [rule, where] = (name ?? '').split(':');
    if (rule === 'default-allow') return { policy: '', rule, file: 'policy/zones.yaml', line: 22 };
    const found = this.estate.rules.find((x) => x.rule === rule && (!where || x.to === `zone ${where}`));
    return found ? { policy: found.policy, rule: found.rule, file: found.file, line: found.line } : { policy: '', rule: '', file: '', line: 0 };
  }

  path() {
    for (;;) {
      let at = this.r.next() * this.weights;
      const p = this.estate.paths.find((x) => (at -= x.weight) < 0) ?? this.estate.paths[0];
      if (this.attack || !p.attack) return p;
    }
  }

  address(name, six) {
    const s = this.services.get(name);
    const host = this.r.int(200) + 2;
    if (s) return six ? `fd00:${s.i}::${host.toString(16)}` : `10.${s.i % 250}.${s.i >> 8}.${host}`;
    if (name === 'unknown') return six ? `fd00:ff::${host.toString(16)}` : `10.99.0.${host}`;
    if (name === 'payments-psp') return '198.51.100.20';
    return six ? `2001:db8::${host.toString(16)}` : `203.0.113.${host}`;
  }

  /** One conversation at a time in milliseconds. */
  flow(at, p = this.path()) {
    const six = this.r.next() < this.v6;
    const [from, to] = [this.services.get(p.from), this.services.get(p.to)];
    const port = p.traffic === 'scan' ? 1 + this.r.int(1024) : Number(p.traffic.split(' ')[1] ?? 0);
    const protocol = p.traffic.startsWith('ICMP') ? (six ? 58 : 1) : p.traffic.startsWith('UDP') ? 17 : 6;
    const rule = this.ruleOf(p.ruleName);
    const refused = p.verdict === 'dropped' && protocol !== 1;
    const f = {
      time: stamp(at, this.r.int(1000)),
      host: hosts[from?.zone] ?? hosts[to?.zone] ?? 'host-web',
      direction: from ? 'egress' : 'ingress',
      src: this.address(p.from, six), dst: this.address(p.to, six),
      srcPort: refused || protocol === 58 || protocol === 1 ? 0 : 32768 + this.r.int(28000), dstPort: port, protocol,
      from: from ? this.r.pick(from.workloads) : p.from, to: to ? this.r.pick(to.workloads) : p.to,
      verdict: p.verdict, rule,
      toCome: p.verdict === 'forwarded' || p.verdict === 'unjudged' ? p.verdict : 'dropped',
      toComeRule: p.toComeRule ? this.ruleOf(p.toComeRule) : rule,
      id: ++this.ids, reason: p.reason ?? 'policy', revision: 12,
    };
    if (from && !from.loose) f.fromService = p.from;
    if (from) f.fromZone = from.zone;
    if (to && !to.loose) f.toService = p.to;
    if (to) f.toZone = to.zone;
    return this.#count(f, p);
  }

  #count(f, p) {
    const id = `${p.from}|${p.to}|${f.verdict}|${f.rule.rule}|${f.rule.line}`;
    const traffic = f.protocol === 1 || f.protocol === 58 ? 'ICMP' : `${f.protocol === 17 ? 'UDP' : 'TCP'} ${f.dstPort}`;
    let e = this.edges.get(id);
    if (!e) {
      e = { id, from: p.from, to: p.to, fromZone: f.fromZone ?? '', toZone: f.toZone ?? '', traffic, ports: new Set(), verdict: f.verdict, toCome: f.toCome, rule: f.rule, toComeRule: f.toComeRule, reason: f.reason, flows: 0, packets: 0, bytes: 0, first: f.time, last: f.time };
      this.edges.set(id, e);
    }
    e.ports.add(traffic);
    if (e.ports.size > 1) e.traffic = `TCP ${[...e.ports].map((t) => Number(t.split(' ')[1])).sort((a, b) => a - b).slice(0, 12).join(',')}${e.ports.size > 12 ? ',…' : ''}`;
    e.flows++;
    e.packets += f.verdict === 'dropped' ? 1 : 8;
    e.bytes += f.verdict === 'dropped' ? 60 : 1400;
    e.last = f.time;
    this.totals[f.verdict]++;
    this.ring.push(f);
    if (this.ring.length > 20_000) this.ring.splice(0, this.ring.length - 10_000);
    return { flow: f, edge: e };
  }

  /** Flows, changed edges and bins for n conversations at a time. */
  batch(at, n) {
    const flows = [];
    const edges = new Map();
    const bins = new Map();
    for (let i = 0; i < n; i++) {
      const { flow, edge } = this.flow(at);
      flows.push(flow);
      edges.set(edge.id, edge);
      this.#bin(bins, Math.floor(at / 10), edge);
    }
    return { flows, edges: [...edges.values()].map(plain), bins: [...bins.values()] };
  }

  #bin(bins, tick, edge) {
    const key = `${tick} ${edge.id}`;
    const b = bins.get(key) ?? { tick, from: edge.from, to: edge.to, verdict: edge.verdict, packets: 0, bytes: 0 };
    const packets = edge.verdict === 'dropped' ? 1 : 2 + this.r.int(9);
    b.packets += packets;
    b.bytes += packets * (edge.verdict === 'dropped' ? 60 : 180);
    bins.set(key, b);
  }

  /** The minute before now, so that a page has something to show at once. */
  history(now, perSecond) {
    const bins = [];
    for (let i = 0; i < BINS_PER_MINUTE; i += 1) {
      const at = now - 60_000 + i * 10;
      const burst = 0.6 + 0.5 * Math.sin(i / 260) + (this.r.next() < 0.06 ? 2 : 0);
      const n = Math.floor((perSecond / 100) * burst + this.r.next());
      if (n > 0) bins.push(...this.batch(at, n).bins);
    }
    return bins;
  }
}

/** An edge without what only the generator needs. */
export function plain(e) {
  const { ports, ...rest } = e;
  return rest;
}

function stamp(ms, micros) {
  return new Date(ms).toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
}

/** Agents, as they report every second. */
export function agents(at, changes = {}) {
  return ['host-web', 'host-app', 'host-data'].map((host, i) => ({
    host, kernel: '6.12.48', tier: 'full', revision: 12, endpoints: 3 + i, entries: 214 + 31 * i, lost: 0, lag: 2_100_000 + 400_000 * i,
    time: new Date(at).toISOString(), connected: true, ...changes[host],
  }));
}
