// Draws bins on a canvas: a lane for each verdict, so that a few drops stay
// visible beside any amount of permitted traffic and colour is never alone.
import { BIN_MS } from '../lib/bins.js';
import { VERDICTS } from '../lib/words.js';

/** The lanes from top to bottom, with their heights in the detail and in the overview. */
export const LANES = [
  { verdict: 'forwarded', height: 26, small: 11 },
  { verdict: 'audited', height: 18, small: 8 },
  { verdict: 'dropped', height: 18, small: 8 },
  { verdict: 'unjudged', height: 18, small: 8 },
];
export const LANE_GAP = 4;
export const AXIS = 16;

/** Colours as the style sheet has them now. */
export function palette(element) {
  const css = getComputedStyle(element);
  const get = (name) => css.getPropertyValue(name).trim();
  return {
    forwarded: get('--wire'), audited: get('--amber'), dropped: get('--red'), unjudged: get('--muted'),
    line: get('--line'), muted: get('--muted'), accent: get('--accent'), soft: get('--raise'), text: get('--text'),
  };
}

/** Makes the canvas as sharp as the screen and returns its context. */
export function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const g = canvas.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  return g;
}

// Sums of packets per column of the drawing; columns are whole numbers of bins
// and are counted from the epoch, so that they never shimmer as time passes.
function columns(ring, v, end, span, perColumn) {
  const first = Math.floor((end - span) / perColumn);
  const last = Math.floor(end / perColumn);
  const values = new Float64Array(last - first + 1);
  for (let c = first; c <= last; c++) values[c - first] = ring.sum(v, c * perColumn, perColumn);
  return { first, values };
}

/**
 * Draws lanes for the span of ticks that ends at end (fractional ticks).
 * Returns the greatest value of each lane.
 */
export function drawLanes(g, { ring, end, span, width, lanes, small, colours, peaks }) {
  const perColumn = Math.max(1, Math.ceil((span / width) * (small ? 2 : 1)));
  const pixels = (width / span) * perColumn;
  let top = 0;
  return lanes.map((lane) => {
    const height = small ? lane.small : lane.height;
    const { first, values } = columns(ring, VERDICTS.indexOf(lane.verdict), end, span, perColumn);
    let max = 0;
    for (const n of values) if (n > max) max = n;
    // The scale falls slowly, so that bars do not jump when a peak leaves.
    const scale = Math.max(max, (peaks?.get(lane.verdict) ?? 0) * 0.97, 4);
    peaks?.set(lane.verdict, scale);
    g.fillStyle = colours.line;
    g.fillRect(0, top + height - 0.5, width, 1);
    g.fillStyle = colours[lane.verdict];
    const gap = pixels >= 4 ? 1 : 0;
    for (let i = 0; i < values.length; i++) {
      if (values[i] <= 0) continue; // a correction may have taken some back
      const x = width - (end - (first + i) * perColumn) * (width / span);
      const h = Math.max(1.5, (values[i] / scale) * height);
      g.fillRect(x, top + height - h, Math.max(1, pixels - gap), h);
    }
    top += height + (small ? 2 : LANE_GAP);
    return max;
  });
}

/** Seconds under the lanes, counted back from the right edge, or clock times when held. */
export function drawAxis(g, { end, span, width, y, colours, font }) {
  const steps = [10, 20, 50, 100, 200, 500, 1000]; // ticks
  const step = steps.find((s) => (s / span) * width >= 74) ?? 1000;
  g.fillStyle = colours.muted;
  g.font = font;
  g.textBaseline = 'top';
  for (let tick = Math.ceil((end - span) / step) * step; tick <= end; tick += step) {
    const x = width - (end - tick) * (width / span);
    g.fillStyle = colours.line;
    g.fillRect(Math.round(x), 0, 1, y + 3);
    g.fillStyle = colours.muted;
    const text = label(tick * BIN_MS, step);
    if (x + g.measureText(text).width + 4 < width) g.fillText(text, Math.round(x) + 4, y + 3);
  }
}

function label(ms, step) {
  const d = new Date(ms);
  const pad = (n, w = 2) => String(n).padStart(w, '0');
  const base = `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
  return step >= 100 ? base : `${base}.${pad(d.getMilliseconds(), 3).slice(0, 2)}`;
}
