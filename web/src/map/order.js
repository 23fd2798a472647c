// The order of zones and of services in them. It follows from the policy
// alone, so that the same policy always gives the same map and traffic never
// moves anything.

export const OUTSIDE = ''; // the zone of what is outside the estate

/** Reads an end as rules write it, "service orders", into {kind, name}. */
export function parseEnd(text) {
  const cut = (text ?? '').indexOf(' ');
  return cut < 0 ? { kind: text ?? '', name: '' } : { kind: text.slice(0, cut), name: text.slice(cut + 1) };
}

/** The pairs of zones and of services between which some rule allows traffic. */
export function allowedPairs(rules, services) {
  const zoneOf = new Map(services.map((s) => [s.name, s.zone]));
  const pairs = [];
  for (const r of rules) {
    if (r.effect !== 'allow') continue;
    const [a, b] = [parseEnd(r.from), parseEnd(r.to)];
    pairs.push({ from: a, to: b, fromZone: zone(a, zoneOf), toZone: zone(b, zoneOf) });
  }
  return pairs;
}

function zone(end, zoneOf) {
  if (end.kind === 'zone') return end.name;
  if (end.kind === 'service') return zoneOf.get(end.name);
  if (end.kind === 'external' || end.kind === 'any') return OUTSIDE;
  return undefined;
}

/**
 * Zones from those that call to those that are called. Those that nobody left
 * calls come next; in a circle, the one that calls most. Ties keep their place.
 */
export function orderZones(names, pairs) {
  const left = [...names];
  const out = [];
  while (left.length) {
    const inside = pairs.filter((p) => p.fromZone !== p.toZone && left.includes(p.fromZone) && left.includes(p.toZone));
    const calls = (z) => inside.filter((p) => p.fromZone === z).length;
    const called = (z) => inside.filter((p) => p.toZone === z).length;
    // A zone without any rule has nothing to say about order: it goes last.
    const worth = (z) => (called(z) === 0 ? (calls(z) ? 1e6 : -1e6) : calls(z) - called(z));
    const next = left.reduce((best, z) => (worth(z) > worth(best) ? z : best));
    out.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return out;
}

/** Services of each zone, those with allowed neighbours in earlier zones first and near them. */
export function orderServices(zones, services, pairs) {
  const byZone = new Map(zones.map((z) => [z, []]));
  for (const s of services) byZone.get(s.zone)?.push(s.name);
  const rank = new Map();
  for (const z of zones) {
    const mean = new Map(byZone.get(z).map((n) => [n, barycentre(n, pairs, rank)]));
    const names = byZone.get(z).sort((a, b) => mean.get(a) - mean.get(b) || degree(b, pairs) - degree(a, pairs) || (a < b ? -1 : a > b ? 1 : 0));
    names.forEach((n, i) => rank.set(n, names.length > 1 ? i / (names.length - 1) : 0.5));
  }
  return byZone;
}

// How many rules name it: what matters most stands first.
function degree(name, pairs) {
  return pairs.reduce((n, p) => n + (p.from.name === name) + (p.to.name === name), 0);
}

function barycentre(name, pairs, rank) {
  let sum = 0;
  let n = 0;
  for (const { from, to } of pairs) {
    const other = from.name === name ? to : to.name === name ? from : null;
    if (!other || !rank.has(other.name)) continue;
    sum += rank.get(other.name);
    n++;
  }
  return n ? sum / n : 2; // what nobody may talk to stands last
}
