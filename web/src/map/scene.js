// From what the page knows to what the map draws: which boxes there are, and
// which lines between them stand for which edges.
import { loudness } from '../lib/words.js';
import { allowedPairs, orderServices, orderZones, OUTSIDE, parseEnd } from './order.js';

export const OPEN_AT_ONCE = 120; // more services than this, and zones start closed
const MAX_OUTSIDE = 10; // names outside the estate that get a box of their own
const FOLDED = '(folded)'; // what the server had no room to tell apart
export const REST = 'other addresses';
export const MAX_LINES = 160; // more lines than this, and the quiet ones wait to be asked for

/** Zones in their order with their items, for place(). */
export function compartments({ zones, services, rules }, outside, isClosed) {
  const names = zones.map((z) => z.name);
  for (const s of services) if (!names.includes(s.zone)) names.push(s.zone);
  const filled = new Set(services.map((s) => s.zone));
  const shown = names.filter((n) => n !== 'unassigned' || filled.has(n));
  const pairs = allowedPairs(rules, services);
  const ordered = orderZones(shown, pairs);
  const many = services.length > OPEN_AT_ONCE;
  const byZone = orderServices(ordered, services, many ? [] : pairs);
  const list = ordered.map((name) => ({ name, items: byZone.get(name), closed: isClosed(name) && byZone.get(name).length > 0 }));
  return [{ name: OUTSIDE, items: outside, closed: false }, ...list];
}

/**
 * The services that get a box. A host's own processes (`host/…`, in no cgroup
 * of a workload) are quiet on a good day: they get theirs once they talk.
 */
export function boxed(services, edges) {
  const silent = new Set(services.filter((s) => s.loose && s.name.startsWith('host/')).map((s) => s.name));
  if (silent.size) {
    for (const e of edges) {
      silent.delete(e.from);
      silent.delete(e.to);
    }
  }
  return silent.size ? services.filter((s) => !silent.has(s.name)) : services;
}

/** Whether a zone is closed: many services start closed, and the address bar says what was toggled. */
export function closedBy(services, toggled) {
  const start = services.length > OPEN_AT_ONCE;
  return (zone) => start !== toggled.includes(zone);
}

/**
 * The boxes outside the estate. They keep the order in which they were first
 * seen, so a new one never moves an old one; what does not fit shares one box.
 */
export function outsideNames(rules, edges, services, before) {
  const known = new Set(services.map((s) => s.name));
  const list = before.length ? [...before] : ['world'];
  const add = (name) => {
    if (known.has(name) || list.includes(name)) return;
    if (list.length < MAX_OUTSIDE) list.push(name);
    else if (!list.includes(REST)) list.push(REST);
  };
  for (const r of rules) {
    for (const end of [r.from, r.to]) {
      const e = parseEnd(end);
      if (e.kind === 'external') add(e.name);
    }
  }
  for (const e of edges) {
    if (e.from === FOLDED) continue;
    if (!known.has(e.from)) add(e.from);
    if (!known.has(e.to)) add(e.to);
  }
  return list.filter((n) => !known.has(n));
}

/** Gathers edges into lines by (box, box, verdict), the loudest last, on top; left counts edges without a box. */
export function lines(edges, zoneOf, items) {
  const boxOf = (name) => {
    if (items.has(name)) return name;
    const zone = zoneOf.get(name);
    if (zone !== undefined && items.has(`zone:${zone}`)) return `zone:${zone}`;
    return items.has(REST) ? REST : null;
  };
  const found = new Map();
  let left = 0;
  for (const e of edges) {
    if (e.from === FOLDED) continue;
    const from = boxOf(e.from);
    const to = boxOf(e.to);
    if (from === null || to === null) {
      left++;
      continue;
    }
    const key = `${from}>${to}>${e.verdict}`;
    const line = found.get(key) ?? { key, from, to, verdict: e.verdict, edges: [], flows: 0, last: '' };
    line.edges.push(e);
    line.flows += e.flows;
    if (e.last > line.last) line.last = e.last;
    found.set(key, line);
  }
  const shown = [...found.values()].sort((a, b) => loudness(a.verdict) - loudness(b.verdict) || a.flows - b.flows);
  return { shown, left };
}
