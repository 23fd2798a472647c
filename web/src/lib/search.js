// Search over everything the page knows by name, and over addresses.
import { href } from './url.svelte.js';
import { ruleKey, ruleName, ruleSite } from './words.js';

const LIMIT = 40;

/** Hits {key, kind, name, note, to} for a text, best first: equal, beginning, containing. */
export function find(text, { zones, services, rules, edges, agents }) {
  const q = text.trim().toLowerCase();
  const hits = [];
  const add = (kind, name, note, to) => {
    const low = name.toLowerCase();
    const where = q === '' ? 2 : low === q ? 0 : low.startsWith(q) ? 1 : low.includes(q) ? 2 : note.toLowerCase().includes(q) ? 3 : -1;
    if (where >= 0) hits.push({ key: `${kind} ${name} ${note}`, kind, name, note, to, where });
  };
  const known = new Set();
  for (const z of zones) add('zone', z.name, `${z.stage}, default ${z.default}`, href('map', { zone: z.name }));
  for (const s of services) {
    known.add(s.name);
    add(s.loose ? 'workload' : 'service', s.name, s.zone, href('map', { node: s.name }));
  }
  if (q !== '') {
    for (const s of services) {
      for (const w of s.workloads ?? []) if (w !== s.name) add('workload', w, s.name, href('flows', { name: w }));
    }
    for (const e of edges.values()) {
      for (const name of [e.from, e.to]) {
        if (known.has(name)) continue;
        known.add(name);
        add('peer', name, '', href('map', { node: name }));
      }
    }
    for (const a of agents) add('host', a.host, `revision ${a.revision}`, href('flows', { host: a.host }));
  }
  for (const r of rules) add('rule', ruleName(r), ruleSite(r), href('map', { rule: ruleKey(r) }));
  hits.sort((a, b) => a.where - b.where);
  if (/^[0-9a-f.:]*[.:][0-9a-f.:]*$/i.test(q) && q.length > 3) {
    hits.unshift({ key: 'addr', kind: 'address', name: text.trim(), note: 'flows from or to it', to: href('flows', { addr: text.trim() }) });
  }
  if (q !== '') hits.push({ key: 'text', kind: 'text', name: text.trim(), note: 'in the flows', to: href('flows', { q: text.trim() }) });
  const seen = new Set();
  return hits.filter((h) => !seen.has(h.key) && seen.add(h.key)).slice(0, LIMIT);
}
