import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinRing, SLOTS } from '../../src/lib/bins.js';
import { FeedState, MAX_FLOWS } from '../../src/lib/feed-state.js';
import { LatestVerdicts } from '../../src/lib/groups.js';
import { demoEstate } from '../mock/estate.js';
import { Traffic } from '../mock/traffic.js';

const START = 1_760_000_000_000;

function filled(n) {
  const traffic = new Traffic(demoEstate());
  const state = new FeedState();
  state.setWant([]);
  state.snapshot({ now: START, flows: [], edges: [], bins: [], zones: [], services: [], rules: [], agents: [], totals: {} });
  state.take();
  for (let i = 0; i < n; i++) state.batch({ now: START + i * 5, seq: i, ...traffic.batch(START + i * 5, 100) });
  return { state, traffic };
}

test('memory is bounded while nobody takes what comes', () => {
  const { state } = filled(400); // 40,000 flows
  const p = state.take();
  assert.equal(p.flows.length, MAX_FLOWS);
  assert.ok(p.latest.length <= 40);
  assert.ok(p.edges.length <= state.edges.size);
  assert.ok(p.bins.length <= 4 * 24_000);
  assert.equal(state.take(), null, 'nothing is given twice');
});

test('a patch has the newest value of an edge, once', () => {
  const { state, traffic } = filled(20);
  const p = state.take();
  assert.equal(new Set(p.edges.map((e) => e.id)).size, p.edges.length);
  for (const e of p.edges) assert.equal(e.flows, traffic.edges.get(e.id).flows);
});

test('only the flows that are wanted are kept', () => {
  const { state, traffic } = filled(0);
  state.setWant([{ field: 'verdict', value: 'dropped', not: false }]);
  state.batch({ now: START, ...traffic.batch(START, 2000) });
  const flows = state.take().flows;
  assert.ok(flows.length > 10);
  assert.ok(flows.every((f) => f.verdict === 'dropped'));
  state.setWant(null);
  state.batch({ now: START, ...traffic.batch(START, 100) });
  assert.equal(state.take().flows, undefined);
});

test('bins that travel with the whole ring are not counted twice', () => {
  const state = new FeedState();
  const bin = (tick) => ({ tick, from: 'a', to: 'b', verdict: 'dropped', packets: 1, bytes: 60 });
  state.snapshot({ now: START, bins: [bin(100)] });
  state.batch({ now: START, bins: [bin(101)] });
  const p = state.take();
  assert.equal(p.bins, undefined);
  assert.equal(p.ring.sum(3, 100, 2), 2);
});

test('the ring keeps a minute, adds what comes late, and forgets the rest', () => {
  const r = new BinRing();
  r.add(1000, 0, 5, 500);
  r.add(1001, 0, 1, 100);
  r.add(1000, 0, 2, 200);
  assert.equal(r.sum(0, 1000, 1), 7);
  assert.equal(r.sum(0, 1000, 2, r.bytes), 800);
  r.add(1000 + SLOTS, 0, 1, 1);
  assert.equal(r.sum(0, 1000, 1), 0, 'its slot went to a newer bin');
  r.add(1000, 0, 9, 9);
  assert.equal(r.sum(0, 1000, 1), 0, 'too old to come back');
  assert.equal(r.sum(0, 1001, 1), 1);
});

test('latest verdicts update in place, and what is new comes in at the top', () => {
  const l = new LatestVerdicts(3);
  const flow = (from, verdict, ms, dstPort = 80) => ({ from, to: 'x', verdict, time: new Date(START + ms).toISOString(), protocol: 6, dstPort, rule: { policy: '', rule: 'r', file: 'f', line: 1 } });
  l.add(flow('a', 'forwarded', 0));
  l.add(flow('b', 'dropped', 10));
  l.add(flow('a', 'forwarded', 20, 81));
  assert.deepEqual(l.groups.map((g) => [g.flow.from, g.n, g.kinds.size]), [['b', 1, 1], ['a', 2, 2]]);
  l.add(flow('a', 'forwarded', 30_000));
  assert.equal(l.groups[0].flow.from, 'a', 'after a silence it is news again');
  l.add(flow('c', 'dropped', 30_001));
  l.add(flow('d', 'dropped', 30_002));
  assert.deepEqual(l.groups.map((g) => g.flow.from), ['d', 'c', 'b'], 'what was forwarded leaves first');
});

test('a correction takes the place of what it corrects', () => {
  const traffic = new Traffic(demoEstate());
  const path = traffic.estate.paths.find((p) => p.from === 'storefront' && p.to === 'orders' && p.verdict === 'forwarded');
  const { flow, edge } = traffic.flow(START, path);
  const { ports, ...shown } = edge;
  const state = new FeedState();
  state.setWant([{ field: 'verdict', value: 'forwarded', not: false }]);
  state.snapshot({ now: START });
  state.batch({ now: START, flows: [flow], edges: [shown] });
  assert.equal(state.edges.size, 1);
  state.take();
  const dropped = { ...flow, verdict: 'dropped', rule: traffic.ruleOf('default-deny:app') };
  state.batch({ now: START, flows: [dropped], edges: [{ ...shown, flows: 0 }] });
  const p = state.take();
  assert.deepEqual(p.flows.map((f) => f.verdict), ['dropped'], 'it goes out although forwarded ones are wanted');
  assert.deepEqual(p.latest.map((g) => [g.flow.verdict, g.n]), [['dropped', 1]]);
  assert.equal(state.edges.size, 0, 'an edge without conversations is gone');
});

test('the bins of what is picked come apart from all others', () => {
  const state = new FeedState();
  state.snapshot({ now: START });
  state.take();
  const bin = (from, to) => ({ tick: 7, from, to, verdict: 'dropped', packets: 2, bytes: 120 });
  state.setPick({ from: 'a', to: 'b' });
  state.batch({ now: START, bins: [bin('a', 'b'), bin('b', 'a'), bin('a', 'c')] });
  assert.deepEqual(state.take().picked, [7, 3, 2, 120]);
  state.setPick({ node: 'a' });
  state.batch({ now: START, bins: [bin('a', 'b'), bin('b', 'a'), bin('c', 'b')] });
  assert.equal(state.take().picked.length, 8);
});
