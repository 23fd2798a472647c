// Draws a line between two boxes through gutters and gaps. A path depends only
// on where its two ends stand and on its verdict, so no other line ever moves it.
import { EDGE } from './place.js';

const SHIFT = { forwarded: 0, unjudged: 12, audited: 8, dropped: -9 };

/** {d, tip: {x, y, dir}} for a line from one placed item to another. */
export function wire(layout, from, to, verdict) {
  const shift = SHIFT[verdict] ?? 0;
  if (from === to) return loop(from, shift);
  if (from.column === to.column) return arc(layout, from, to, shift);
  const dir = to.column > from.column ? 1 : -1;
  const x0 = dir > 0 ? from.x + from.width : from.x;
  const x1 = dir > 0 ? to.x : to.x + to.width;
  const y0 = port(from, to, shift + dir);
  const y1 = port(to, from, shift + dir);
  const spread = hash(`${from.name}>${to.name}`) * 2 - 1 + shift / 20;
  let d = `M${x0} ${y0}`;
  let [x, y] = [x0, y0];
  for (let c = from.column + dir; c !== to.column; c += dir) {
    const col = layout.columns[c];
    const near = dir > 0 ? col.x : col.x + col.width;
    const far = dir > 0 ? col.x + col.width : col.x;
    const wanted = y0 + ((y1 - y0) * (near - x0)) / (x1 - x0);
    const gap = gapNear(col, wanted, spread, layout.height);
    d += bend(x, y, near, gap) + `H${far}`;
    [x, y] = [far, gap];
  }
  const tip = x1 - dir * 7;
  return { d: d + bend(x, y, tip, y1), tip: { x: x1, y: y1, dir } };
}

// Where a line meets a box: higher if it comes from above, so that fans do not cross.
function port(item, other, shift) {
  const slope = (other.y + other.height / 2 - item.y - item.height / 2) / 260;
  const room = item.height / 2 - 4;
  const y = Math.max(-1, Math.min(1, slope)) * room * 0.6 + shift * Math.min(1, item.height / 42);
  return round(item.y + item.height / 2 + Math.max(-room, Math.min(room, y)));
}

function bend(x0, y0, x1, y1) {
  if (Math.abs(y0 - y1) < 0.5) return `H${x1}`;
  const mid = round((x0 + x1) / 2);
  return `C${mid} ${y0} ${mid} ${y1} ${x1} ${y1}`;
}

// Two boxes of one column: out of the right side and back into it.
function arc(layout, from, to, shift) {
  const x = from.x + from.width;
  const next = layout.columns[from.column + 1];
  const room = (next ? next.x - x : EDGE + 14) - 8;
  const y0 = port(from, to, shift);
  const y1 = port(to, from, shift);
  const out = round(x + Math.min(room, 20 + Math.abs(y1 - y0) * 0.16 + Math.abs(shift)) * 1.3);
  return { d: `M${x} ${y0}C${out} ${y0} ${out} ${y1} ${x + 7} ${y1}`, tip: { x, y: y1, dir: -1 } };
}

function loop(item, shift) {
  const x = item.x + item.width;
  const y = item.y + item.height / 2 + shift;
  return { d: `M${x} ${y - 8}C${x + 26} ${y - 12} ${x + 26} ${y + 8} ${x + 7} ${y + 6}`, tip: { x, y: y + 6, dir: -1 } };
}

/** The height at which a line may pass a column, nearest to the wanted one. */
export function gapNear(column, wanted, spread, height) {
  let best = wanted;
  let least = Infinity;
  let top = 2;
  const consider = (from, to) => {
    const room = (to - from) / 2 - 3;
    if (room < 0) return;
    const mid = (from + to) / 2;
    const inside = Math.min(room, 40);
    const y = room > 12 ? Math.max(from + 4, Math.min(to - 4, wanted)) : mid + spread * inside;
    const away = Math.abs(y - wanted);
    if (away < least) [least, best] = [away, y];
  };
  for (const b of column.blocks) {
    consider(top, b.y);
    top = Math.max(top, b.y + b.height);
  }
  consider(top, Math.max(height - 2, top + 12));
  return round(best);
}

const round = (x) => Math.round(x * 10) / 10;

// A number in [0, 1) that is always the same for the same text.
function hash(text) {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return ((h >>> 0) % 1000) / 1000;
}
