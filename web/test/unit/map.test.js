import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedPairs, orderZones } from '../../src/map/order.js';
import { place } from '../../src/map/place.js';
import { boxed, closedBy, compartments, lines, MAX_LINES, outsideNames, REST } from '../../src/map/scene.js';
import { wire } from '../../src/map/wire.js';
import { demoEstate, madeEstate } from '../mock/estate.js';
import { Traffic } from '../mock/traffic.js';

const SIZES = [{ width: 904, height: 508 }, { width: 1460, height: 788 }, { width: 390, height: 550 }];

function scene(estate, size, toggled = []) {
  const traffic = new Traffic(estate);
  for (const p of estate.paths) traffic.flow(1_760_000_000_000, p);
  const edges = [...traffic.edges.values()];
  const outside = outsideNames(estate.rules, edges, estate.services, []);
  const layout = place(compartments(estate, outside, closedBy(estate.services, toggled)), size);
  const zoneOf = new Map(estate.services.map((s) => [s.name, s.zone]));
  return { layout, edges, ...lines(edges, zoneOf, layout.items) };
}

/** Points along a path of M, C and H commands. */
function points(d) {
  const out = [];
  let [x, y] = [0, 0];
  for (const [, cmd, rest] of d.matchAll(/([MCH])([^MCH]*)/g)) {
    const n = rest.trim().split(/[ ,]+/).map(Number);
    if (cmd === 'M') [x, y] = n;
    else if (cmd === 'H') {
      for (let i = 1; i <= 20; i++) out.push([x + ((n[0] - x) * i) / 20, y]);
      x = n[0];
    } else {
      for (let i = 1; i <= 40; i++) {
        const t = i / 40;
        const b = (p0, p1, p2, p3) => (1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * p1 + 3 * (1 - t) * t * t * p2 + t ** 3 * p3;
        out.push([b(x, n[0], n[2], n[4]), b(y, n[1], n[3], n[5])]);
      }
      [x, y] = [n[4], n[5]];
    }
  }
  return out;
}

for (const [name, estate] of [['demo', demoEstate()], ['50 services', madeEstate(50, 5)], ['2,000 services', madeEstate(2000, 12)]]) {
  for (const size of SIZES) {
    test(`no line crosses a label or leaves the map: ${name}, ${size.width} wide`, () => {
      const { layout, shown } = scene(estate, size);
      assert.ok(shown.length > 3);
      const blocks = layout.columns.flatMap((c) => c.blocks);
      for (const line of shown) {
        const { d } = wire(layout, layout.items.get(line.from), layout.items.get(line.to), line.verdict);
        for (const [x, y] of points(d)) {
          assert.ok(x >= 0 && x <= layout.width && y >= 0 && y <= layout.height, `${line.key} leaves the map at ${x},${y}`);
          for (const b of blocks) {
            const inside = x > b.x + 1 && x < b.x + b.width - 1 && y > b.y && y < b.y + b.height;
            assert.ok(!inside, `${line.key} crosses ${b.name ?? 'a zone label'} at ${x},${y}`);
          }
        }
      }
    });

    test(`boxes do not overlap and stay in their zones: ${name}, ${size.width} wide`, () => {
      const { layout } = scene(estate, size);
      const items = [...layout.items.values()];
      for (const a of items) {
        const hull = layout.zones.find((z) => z.name === a.zone);
        assert.ok(a.x >= hull.x && a.x + a.width <= hull.x + hull.width && a.y >= hull.y && a.y + a.height <= hull.y + hull.height + 1, a.name);
        for (const b of items) {
          if (a === b || a.column !== b.column) continue;
          assert.ok(a.y + a.height <= b.y || b.y + b.height <= a.y, `${a.name} and ${b.name}`);
        }
      }
    });
  }
}

test('the same policy gives the same map, whatever has been seen', () => {
  const estate = madeEstate(50, 5);
  const boxes = (l) => JSON.stringify([...l.items.values()]);
  const all = scene(estate, SIZES[0]).layout;
  const few = scene({ ...estate, paths: estate.paths.slice(0, 3).concat(estate.paths.slice(-1)) }, SIZES[0]).layout;
  assert.equal(boxes(all), boxes(few));
});

test('a line does not move when another one appears', () => {
  const estate = demoEstate();
  const path = (s) => {
    const line = s.shown.find((l) => l.from === 'storefront' && l.to === 'orders-db');
    return wire(s.layout, s.layout.items.get(line.from), s.layout.items.get(line.to), line.verdict).d;
  };
  const alone = { ...estate, paths: estate.paths.filter((p) => p.to === 'orders-db' || p.from === 'unknown') };
  assert.equal(path(scene(estate, SIZES[0])), path(scene(alone, SIZES[0])));
});

test('zones stand from those that call to those that are called', () => {
  const { rules, services, zones } = demoEstate();
  assert.deepEqual(orderZones(zones.map((z) => z.name), allowedPairs(rules, services)), ['web', 'app', 'data']);
  assert.deepEqual(orderZones(['a', 'b'], []), ['a', 'b']);
});

test('what is outside keeps its place and stays bounded', () => {
  const edges = Array.from({ length: 5000 }, (_, i) => ({ from: `203.0.${i >> 8}.${i & 255}`, to: 'storefront' }));
  const { services, rules } = demoEstate();
  const first = outsideNames(rules, edges.slice(0, 4), services, []);
  const then = outsideNames(rules, edges, services, first);
  assert.deepEqual(then.slice(0, first.length), first);
  assert.ok(then.length <= 11);
  assert.equal(then.at(-1), REST);
});

test('2,000 services start as closed zones, and an open one shows its services', () => {
  const estate = madeEstate(2000, 12);
  const closed = scene(estate, SIZES[0]);
  assert.equal([...closed.layout.items.keys()].filter((k) => k.startsWith('zone:')).length, 12);
  assert.equal(closed.left, 0);
  assert.ok(closed.shown.length < MAX_LINES);
  const open = scene(estate, SIZES[0], ['web']);
  assert.equal([...open.layout.items.values()].filter((i) => i.zone === 'web').length, 167);
  assert.equal(open.left, 0);
});

test('who turns up outside moves nothing else', () => {
  const estate = demoEstate();
  const at = (outside) => {
    const { items } = place(compartments(estate, outside, () => false), SIZES[0]);
    return JSON.stringify([...items.values()].filter((i) => i.zone !== '' || i.name === 'world'));
  };
  assert.equal(at(['world']), at(['world', 'unknown', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', REST]));
});

test('a host that does not talk has no box, and one that does has', () => {
  const services = [{ name: 'api', zone: 'app' }, { name: 'host/app', zone: 'app', loose: true }, { name: 'job', zone: 'app', loose: true }];
  const names = (edges) => boxed(services, edges).map((s) => s.name);
  assert.deepEqual(names([]), ['api', 'job']);
  assert.deepEqual(names([{ from: 'api', to: 'job' }]), ['api', 'job']);
  assert.deepEqual(names([{ from: 'host/app', to: 'world' }]), ['api', 'host/app', 'job']);
  assert.deepEqual(names([{ from: 'world', to: 'host/app' }]), ['api', 'host/app', 'job']);
});
