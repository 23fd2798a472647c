// What the page knows, gathered off the main thread. Events go in one by one;
// the page takes one patch per frame, so its work does not grow with the rate.
import { BinRing, isOf } from './bins.js';
import { matches } from './filter.js';
import { toMillis } from './format.js';
import { LatestVerdicts } from './groups.js';
import { VERDICTS } from './words.js';

export const MAX_FLOWS = 2000; // rows the table holds
export const MAX_EDGES = 20_000; // edges the map holds; the rest are counted

const whole = ['zones', 'services', 'rules', 'agents', 'totals'];

/** Folds the stream and hands out patches. It does no I/O and has no clock. */
export class FeedState {
  edges = new Map();
  bins = new BinRing();
  latest = new LatestVerdicts();
  want = null; // conditions of the flows that the page shows, or null
  pick = null;
  newest = 0; // greatest id of a flow so far; one that is not greater corrects an earlier report
  #patch = {};

  /** A snapshot replaces everything. */
  snapshot(s) {
    this.edges = new Map();
    this.bins = new BinRing();
    this.latest = new LatestVerdicts();
    this.newest = 0;
    this.#patch = { reset: true, estate: s.estate ?? '', recorded: Boolean(s.recorded), flows: [], ring: this.bins };
    for (const f of [...(s.flows ?? [])].reverse()) this.#flow(f);
    this.#common(s);
  }

  /** A batch changes what it names. */
  batch(b) {
    for (const f of b.flows ?? []) this.#flow(f);
    this.#common(b);
  }

  #common(m) {
    this.#patch.now = toMillis(m.now);
    for (const key of whole) if (m[key]) this.#patch[key] = m[key];
    if (m.skipped) this.#patch.skipped = (this.#patch.skipped ?? 0) + m.skipped;
    if (m.estate) this.#patch.estate = m.estate;
    for (const e of m.edges ?? []) this.#edge(e);
    for (const b of m.bins ?? []) this.#bin(b);
  }

  #flow(f) {
    this.latest.add(f);
    const correction = f.id <= this.newest;
    this.newest = Math.max(this.newest, f.id ?? 0);
    // A correction goes out whatever is wanted: it may take a row away.
    if (!this.want || !(correction || matches(this.want, f))) return;
    const list = (this.#patch.flows ??= []);
    list.push(f);
    if (list.length > 2 * MAX_FLOWS) list.splice(0, list.length - MAX_FLOWS);
  }

  #edge(e) {
    if (!this.edges.has(e.id) && this.edges.size >= MAX_EDGES) {
      this.#patch.unheld = true;
      return;
    }
    if (e.flows === 0) this.edges.delete(e.id); // corrections took its last conversation
    else this.edges.set(e.id, e);
    (this.#patch.edges ??= new Map()).set(e.id, e);
  }

  #bin(b) {
    const v = VERDICTS.indexOf(b.verdict);
    this.bins.add(b.tick, v, b.packets, b.bytes);
    if (this.pick && isOf(this.pick, b)) push(this.#patch, 'picked', b, v);
    if (this.#patch.ring) return; // the whole ring is on its way, this bin with it
    push(this.#patch, 'bins', b, v);
  }

  /** The flows that the page wants from now on; what was pending is forgotten. */
  setWant(conditions) {
    this.want = conditions;
    delete this.#patch.flows;
  }

  /** The line or box whose bins are wanted apart, or null. */
  setPick(pick) {
    this.pick = pick;
    delete this.#patch.picked;
  }

  /** Everything since the last call, or null if nothing happened. */
  take() {
    const p = this.#patch;
    if (Object.keys(p).length === 0) return null;
    this.#patch = {};
    if (p.edges) p.edges = [...p.edges.values()];
    if (p.flows?.length > MAX_FLOWS) p.flows = p.flows.slice(-MAX_FLOWS);
    if (this.latest.changed) {
      p.latest = this.latest.groups.map((g) => ({ ...g, kinds: g.kinds.size }));
      this.latest.changed = false;
    }
    return p;
  }
}

// Four numbers a bin: cheaper to hand over than objects. Bounded, the oldest go.
function push(patch, name, b, verdictIndex) {
  const list = (patch[name] ??= []);
  list.push(b.tick, verdictIndex, b.packets, b.bytes);
  if (list.length > 4 * 24_000) list.splice(0, 4 * 12_000);
}
