// Filters over flows: what the flows table shows, and its address bar.
import { fromName, ruleName, ruleSite, toName, traffic } from './words.js';

const tests = {
  verdict: (f, v) => f.verdict === v,
  tocome: (f, v) => f.toCome === v,
  from: (f, v) => fromName(f) === v || f.from === v,
  to: (f, v) => toName(f) === v || f.to === v,
  fromzone: (f, v) => (f.fromZone || 'outside') === v,
  tozone: (f, v) => (f.toZone || 'outside') === v,
  zone: (f, v) => (f.fromZone || 'outside') === v || (f.toZone || 'outside') === v,
  rule: (f, v) => ruleName(f.rule) === v || ruleName(f.toComeRule) === v || ruleSite(f.rule) === v,
  site: (f, v) => ruleSite(f.rule) === v,
  traffic: (f, v) => traffic(f) === v,
  addr: (f, v) => f.src === v || f.dst === v,
  name: (f, v) => fromName(f) === v || toName(f) === v || f.from === v || f.to === v,
  host: (f, v) => f.host === v,
  reason: (f, v) => f.reason === v,
  q: (f, v) => text(f).includes(v.toLowerCase()),
};

/** The fields one can filter by, in the order of the address bar. */
export const FIELDS = Object.keys(tests);

/** How a field is called on the page. */
export const LABELS = {
  tocome: 'to come', fromzone: 'from zone', tozone: 'to zone', addr: 'address', site: 'rule at', q: 'text',
};

function text(f) {
  return `${f.from} ${f.fromService ?? ''} ${f.to} ${f.toService ?? ''} ${f.src} ${f.dst} ${f.verdict} ${ruleName(f.rule)} ${ruleSite(f.rule)} ${traffic(f)} ${f.host}`.toLowerCase();
}

/** Reads conditions [{field, value, not}] from an address bar; unknown parameters mean nothing. */
export function parseFilter(params) {
  const out = [];
  for (const [key, value] of params) {
    const not = key.startsWith('not-');
    const field = not ? key.slice(4) : key;
    if (field in tests && value !== '') out.push({ field, value, not });
  }
  return out;
}

/** Whether a flow passes every condition; two values of one field are alternatives. */
export function matches(conditions, flow) {
  const byField = new Map();
  for (const { field, value, not } of conditions) {
    const hit = tests[field](flow, value);
    if (not) {
      if (hit) return false;
    } else {
      byField.set(field, byField.get(field) || hit);
    }
  }
  for (const ok of byField.values()) if (!ok) return false;
  return true;
}

/** Adds a condition, or takes it away if it stands already. */
export function toggle(conditions, field, value, not = false) {
  const same = (c) => c.field === field && c.value === value;
  const had = conditions.find(same);
  const rest = conditions.filter((c) => !same(c));
  return had && had.not === not ? rest : [...rest, { field, value, not }];
}

/** Conditions as the parameters of an address bar. */
export function filterParams(conditions) {
  return conditions.map(({ field, value, not }) => [not ? `not-${field}` : field, value]);
}

/** The part of a filter that the server can apply, and whether that is all of it. */
export function serverQuery(conditions) {
  const query = new URLSearchParams();
  let whole = true;
  for (const { field, value, not } of conditions) {
    const can = !not && ['verdict', 'from', 'to'].includes(field) && !query.has(field);
    if (can) query.set(field, value);
    else whole = false;
  }
  return { query, whole };
}
