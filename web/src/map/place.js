// Places zones and services on a grid of columns. Columns are separated by
// gutters and the boxes of a column by gaps; lines run only in gutters and
// gaps, so they cross no label.

const PAD = 14; // from the hull to the boxes in it
const HEAD = 42; // a zone's label
const BAND_GAP = 26; // least between rows of zones
export const EDGE = 22; // gutter at either side of the map

const NORMAL = [128, 52]; // least width of a column and of a gutter
const NARROW = [108, 36];
const ROOMY = { height: 42, gap: 20 };
const DENSE = { height: 26, gap: 14 };
const CLOSED_HEIGHT = 64;
const MOST_GAP = 232; // between boxes, however large the screen

/**
 * Lays out zones [{name, items: [name], closed}] in the given width and height.
 * Returns {width, height, zones, items, columns}: rectangles in pixels, and for
 * every column what stands in its way. It depends on nothing else.
 */
export function place(zones, { width, height }) {
  // What is outside has no say: who turns up there must not move anything else.
  const most = Math.max(1, ...zones.map((z) => (z.closed || !z.name ? 1 : z.items.length)));
  const size = { ...(most <= 8 ? ROOMY : DENSE), bandGap: BAND_GAP };
  const grid = columnsFor(zones, width, height, size);
  const bands = intoBands(zones, grid);
  stretch(size, bands, height);
  const out = { zones: [], items: new Map(), columns: [], dense: size.height === DENSE.height, width, columnWidth: grid.w };
  for (let c = 0; c < grid.n; c++) {
    out.columns.push({ x: EDGE + grid.edge + c * (grid.w + grid.g), width: grid.w, blocks: [] });
  }
  let y = 8;
  for (const band of bands) y = placeBand(band, y, size, out) + size.bandGap;
  out.height = Math.max(y - size.bandGap + 8, 0);
  for (const c of out.columns) c.blocks.sort((a, b) => a.y - b.y);
  return out;
}

function columnsFor(zones, width, height, size) {
  const inner = width - 2 * EDGE - 2 * PAD;
  const fits = ([w, g]) => Math.max(1, Math.floor((inner + g) / (w + g)));
  // Narrow columns only where they save a row of zones.
  const [minW, minG] = width < 500 ? NARROW : zones.length > fits(NORMAL) && zones.length <= fits(NARROW) ? NARROW : NORMAL;
  const fit = fits([minW, minG]);
  const rows = Math.max(6, Math.floor((height - HEAD - 60) / (size.height + size.gap)));
  for (const z of zones) z.span = z.closed || !z.name ? 1 : Math.min(fit, Math.max(1, Math.ceil(z.items.length / rows)));
  let need = zones.reduce((n, z) => n + z.span, 0);
  if (need > fit && zones.length <= fit) {
    // One row of zones is easier to read than two: longer columns instead.
    while (need > fit) {
      const widest = zones.reduce((a, b) => (b.span > a.span ? b : a));
      if (widest.span === 1 || widest.items.length / (widest.span - 1) > 40) break;
      widest.span--;
      need--;
    }
  }
  const n = Math.min(fit, need, inRows(zones, need, fit, inner / height));
  const w = Math.min(208, Math.max(minW, Math.floor((inner - (n - 1) * minG * 1.6) / n)));
  const g = n > 1 ? Math.min(210, Math.floor((inner - n * w) / (n - 1))) : minG;
  const used = n * w + (n - 1) * g;
  return { n, w, g, edge: PAD + Math.max(0, Math.floor((inner - used) / 2)) };
}

// Many closed zones make a block of the screen's shape rather than one long row.
function inRows(zones, need, fit, aspect) {
  const closed = zones.filter((z) => z.closed).length;
  if (need <= fit && closed < 7) return need;
  return Math.max(Math.ceil(Math.sqrt(need * aspect * 0.75)), ...zones.map((z) => z.span));
}

function intoBands(zones, grid) {
  const bands = [];
  let band = null;
  for (const z of zones) {
    if (!band || band.used + z.span > grid.n) bands.push((band = { used: 0, zones: [] }));
    band.zones.push({ zone: z, column: band.used });
    band.used += z.span;
  }
  return bands;
}

// A map with room to spare uses it, up to a point.
function stretch(size, bands, height) {
  const rows = (zone) => (zone.closed || !zone.name ? 1 : Math.ceil(zone.items.length / zone.span) || 1);
  let gaps = bands.length - 1;
  let used = 48 + gaps * size.bandGap;
  for (const band of bands) {
    const tall = Math.max(...band.zones.map(({ zone }) => (zone.closed ? CLOSED_HEIGHT : HEAD + PAD + rows(zone) * (size.height + size.gap) - size.gap)));
    gaps += Math.max(...band.zones.map(({ zone }) => rows(zone))) - 1;
    used += tall;
  }
  const more = Math.max(0, Math.floor((height - used) / Math.max(1, gaps)));
  size.gap = Math.min(MOST_GAP, size.gap + more);
  size.bandGap = Math.min(MOST_GAP, size.bandGap + more);
}

function placeBand(band, top, size, out) {
  let bottom = top;
  const hulls = [];
  for (const { zone, column } of band.zones) {
    const box = zone.closed ? { height: CLOSED_HEIGHT, gap: size.gap } : zone.name ? size : DENSE;
    const names = zone.closed ? [`zone:${zone.name}`] : zone.items;
    const rows = Math.ceil(names.length / zone.span) || 1;
    const first = out.columns[column];
    const last = out.columns[column + zone.span - 1];
    const x = first.x - PAD;
    const head = zone.closed ? 0 : HEAD; // a closed zone is a box with its own label
    if (head) first.blocks.push({ x: first.x, y: top, width: first.width, height: 28 });
    names.forEach((name, i) => {
      const c = column + Math.floor(i / rows);
      const col = out.columns[c];
      const y = top + head + (box === DENSE ? (size.height - DENSE.height) / 2 : 0) + (i % rows) * (box.height + box.gap);
      const item = { name, zone: zone.name, closed: zone.closed, column: c, x: col.x, y, width: col.width, height: box.height };
      out.items.set(name, item);
      col.blocks.push(item);
    });
    bottom = Math.max(bottom, top + head + rows * (box.height + box.gap) - box.gap + (head ? PAD : 0));
    hulls.push({ name: zone.name, closed: zone.closed, count: zone.items.length, x, y: top, width: last.x + last.width + PAD - x });
  }
  for (const h of hulls) out.zones.push({ ...h, height: bottom - top });
  return bottom;
}
