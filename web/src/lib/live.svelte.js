// What the page shows, kept up to date by the feed. Large values are replaced,
// never changed in place; edges change in place and carry a version.
import { BinRing, isOf } from './bins.js';
import { MAX_FLOWS } from './feed-state.js';
import { matches, serverQuery } from './filter.js';
import { refusal } from './sse.js';
import { VERDICTS } from './words.js';

class Live {
  link = $state.raw({ state: 'opening' }); // opening, live, lost
  lostAt = $state(0); // when the link was lost, page clock
  estate = $state('');
  recorded = $state(false);
  zones = $state.raw([]);
  services = $state.raw([]);
  rules = $state.raw([]);
  agents = $state.raw([]);
  totals = $state.raw({});
  latest = $state.raw([]);
  known = $state(false); // a snapshot has arrived
  unheld = $state(false);
  skipped = $state(0); // flows that went by too fast to be listed
  edgesVersion = $state(0);
  pairsVersion = $state(0); // only when an edge is new
  flowsVersion = $state(0);
  flowsError = $state(''); // why earlier flows are missing
  now = $state(Date.now()); // the server's clock, four times a second
  edges = new Map();
  flows = []; // what the flows table wants, oldest first, bounded
  bins = new BinRing();
  picked = $state.raw(null); // bins of what is picked alone, or null
  binsVersion = 0;
  #pick = null;
  #skew = 0; // server clock minus page clock
  #want = null;
  #keep = MAX_FLOWS;

  /** The server's time now, to the millisecond. */
  serverNow() {
    return Date.now() + this.#skew;
  }

  #time(now) {
    if (!Number.isFinite(now)) return;
    const skew = now - Date.now();
    // A message can only be late, never early: trust the earliest arrival.
    this.#skew = this.#skew === 0 || Math.abs(skew - this.#skew) > 2000 ? skew : Math.max(skew, this.#skew - 1);
  }

  apply(p) {
    this.#time(p.now);
    if (p.reset) {
      this.edges = new Map();
      this.bins = Object.assign(new BinRing(), p.ring);
      this.flows = [];
      this.recorded = p.recorded;
      this.unheld = false;
      this.skipped = 0;
      this.known = true;
      this.zones = this.services = this.rules = this.agents = [];
      this.pairsVersion++;
    }
    for (const key of ['zones', 'services', 'rules', 'agents', 'totals', 'latest']) if (p[key]) this[key] = p[key];
    if (p.estate !== undefined) this.estate = p.estate;
    if (p.skipped) this.skipped += p.skipped;
    if (p.unheld) this.unheld = true;
    this.#edges(p.edges);
    fill(this.bins, p.bins);
    if (this.picked) fill(this.picked, p.picked);
    if (p.flows) this.#flows(p.flows);
    if (p.reset || p.bins) this.binsVersion++;
    if (p.reset && this.#pick) this.setPick(this.#pick); // what was kept of it belonged to another stream
  }

  #edges(list) {
    if (!list?.length) return;
    let fresh = false;
    for (const e of list) {
      fresh ||= !this.edges.has(e.id);
      if (e.flows === 0) this.edges.delete(e.id);
      else this.edges.set(e.id, e);
    }
    this.edgesVersion++;
    if (fresh) this.pairsVersion++;
  }

  #flows(list) {
    if (!this.#want || !list.length) return;
    const newest = this.flows.at(-1)?.id ?? 0;
    const again = new Map(list.filter((f) => f.id <= newest).map((f) => [f.id, f]));
    if (again.size) this.flows = this.flows.map((f) => again.get(f.id) ?? f).filter((f) => matches(this.#want, f));
    this.flows.push(...list.filter((f) => !again.has(f.id) && matches(this.#want, f)));
    if (this.flows.length > this.#keep) this.flows = this.flows.slice(-this.#keep);
    this.flowsVersion++;
  }

  /**
   * Asks for the flows that meet the conditions, first those the server still
   * has, then those to come, and keeps the newest of them. null asks for none.
   */
  async want(conditions, keep = MAX_FLOWS) {
    this.#want = conditions;
    this.#keep = keep;
    this.flowsError = '';
    this.flows = [];
    this.flowsVersion++;
    worker.postMessage({ want: conditions });
    if (!conditions) return;
    const { query, whole } = serverQuery(conditions);
    query.set('limit', String(whole ? keep : 10_000));
    try {
      const answer = await fetch(`/api/v1/flows?${query}`);
      if (!answer.ok) throw new Error(await refusal(answer));
      const body = await answer.json();
      const old = (body.flows ?? body).filter((f) => matches(conditions, f)).slice(0, keep).reverse();
      if (this.#want !== conditions) return;
      const has = new Set(old.map((f) => f.id));
      this.flows = [...old, ...this.flows.filter((f) => !has.has(f.id))].slice(-keep);
      this.flowsVersion++;
    } catch (err) {
      // That the server cannot be reached is said by the state of the link.
      if (this.#want === conditions && !(err instanceof TypeError)) this.flowsError = err.message;
    }
  }

  /** Keeps the bins of {node} or {from, to} apart from now on, and fetches what the server has of them; null for none. */
  async setPick(pick) {
    this.#pick = pick;
    this.picked = pick && new BinRing();
    worker.postMessage({ pick });
    if (!pick) return;
    const before = this.bins.newest; // later ones come by the stream
    try {
      const { bins } = await (await fetch('/api/v1/snapshot')).json();
      if (this.#pick !== pick) return;
      for (const b of bins) if (b.tick < before && isOf(pick, b)) this.picked.add(b.tick, VERDICTS.indexOf(b.verdict), b.packets, b.bytes);
      this.binsVersion++;
    } catch {
      // The link's own state says that the server cannot be reached.
    }
  }

  /** Tries the server again at once. */
  retry() {
    worker.postMessage({ connect: true });
  }
}

// Adds bins as they travel, four numbers each.
function fill(ring, list = []) {
  for (let i = 0; i < list.length; i += 4) ring.add(list[i], list[i + 1], list[i + 2], list[i + 3]);
}

export const live = new Live();

const worker = new Worker(new URL('./feed.worker.js', import.meta.url), { type: 'module' });
worker.onmessage = ({ data }) => {
  if (data.link) {
    if (data.link.state === 'lost' && live.link.state !== 'lost') live.lostAt = Date.now();
    live.link = { ...data.link, at: Date.now() };
  }
  if (data.patch) {
    requestAnimationFrame(() => {
      live.apply(data.patch);
      worker.postMessage({ shown: true });
    });
  }
};

setInterval(() => {
  if (live.link.state === 'live') live.now = live.serverNow();
}, 250);
