// Numbers, times and units as people read them. Pure functions.

const groups = new Intl.NumberFormat('en-US');

/** Counts are grouped: 1,204. */
export function count(n) {
  return groups.format(Math.round(n ?? 0));
}

/** A count that must fit a narrow place: 1,204 · 31.4k · 2.1M. */
export function short(n) {
  if (n < 10_000) return count(n);
  if (n < 999_500) return `${trim(n / 1e3)}k`;
  if (n < 999_500_000) return `${trim(n / 1e6)}M`;
  return `${trim(n / 1e9)}G`;
}

function trim(x) {
  return x < 100 ? x.toFixed(1).replace(/\.0$/, '') : Math.round(x).toString();
}

/** Bytes in decimal units: 812 B, 3.2 kB. */
export function bytes(n) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let x = n ?? 0;
  let i = 0;
  while (x >= 999.5 && i < units.length - 1) {
    x /= 1000;
    i++;
  }
  return `${i === 0 ? Math.round(x) : trim(x)} ${units[i]}`;
}

/** Milliseconds since 1970 of what the server writes: RFC 3339 or a number. NaN where there is none. */
export function toMillis(t) {
  if (typeof t === 'number') return t;
  if (!t || t.startsWith('0001-')) return NaN;
  return Date.parse(t);
}

/** How long ago, in words that need no arithmetic: now, 4 s, 12 min, 3 h, 2 d. */
export function ago(t, now) {
  const ms = now - toMillis(t);
  if (!Number.isFinite(ms)) return 'never';
  if (ms < 1000) return 'now';
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

/** The age of a row of the flows table, to a tenth of a second. */
export function age(t, now) {
  const ms = now - toMillis(t);
  if (!Number.isFinite(ms)) return '';
  if (ms < 60_000) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  return ago(t, now);
}

const two = (n) => String(n).padStart(2, '0');

/** Local wall clock to the millisecond: 22:41:07.312. */
export function clock(t) {
  const d = new Date(toMillis(t));
  if (Number.isNaN(d.getTime())) return '';
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, '0')}`;
}

/** The absolute time with its date and zone, for a title. */
export function absolute(t) {
  const ms = toMillis(t);
  if (!Number.isFinite(ms)) return '';
  return typeof t === 'string' ? t : new Date(ms).toISOString();
}

/** Go's time.Duration, nanoseconds, as 640 µs, 3.1 ms, 2.0 s. */
export function duration(ns) {
  if (!Number.isFinite(ns)) return '';
  if (ns < 1e6) return `${Math.round(ns / 1e3)} µs`;
  if (ns < 1e9) return `${trim(ns / 1e6)} ms`;
  return `${(ns / 1e9).toFixed(1)} s`;
}

/** n things, with the plural where it belongs. */
export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}
