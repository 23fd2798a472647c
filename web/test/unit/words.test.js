import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterParams, matches, parseFilter, serverQuery, toggle } from '../../src/lib/filter.js';
import { ago, bytes, count, duration, short, toMillis } from '../../src/lib/format.js';
import { endpoint, ruleKey, ruleName, ruleSite, ruleSpot, traffic } from '../../src/lib/words.js';

test('numbers, units and times read well', () => {
  assert.equal(count(1204), '1,204');
  assert.deepEqual([short(9999), short(31_400), short(2_100_000)], ['9,999', '31.4k', '2.1M']);
  assert.deepEqual([bytes(0), bytes(812), bytes(3200), bytes(999_600)], ['0 B', '812 B', '3.2 kB', '1 MB']);
  assert.deepEqual([duration(640_000), duration(3_100_000), duration(2e9)], ['640 µs', '3.1 ms', '2.0 s']);
  const t = '2026-11-21T22:41:07.312345678Z';
  assert.equal(ago(t, toMillis(t) + 4200), '4 s');
  assert.equal(ago(t, toMillis(t) - 50), 'now', 'a clock that is a little behind');
  assert.equal(ago('0001-01-01T00:00:00Z', Date.now()), 'never', "Go's zero time");
});

test('rules and traffic are written as in the policy', () => {
  const rule = { policy: 'orders', rule: 'to-db', file: 'policy/shop.yaml', line: 15 };
  assert.equal(ruleName(rule), 'orders/to-db');
  assert.equal(ruleSite(rule), 'policy/shop.yaml:15');
  assert.equal(ruleSpot(rule), 'shop.yaml:15');
  assert.equal(ruleName({ policy: '', rule: 'default-deny' }), 'default-deny');
  assert.notEqual(ruleKey({ policy: '', rule: 'default-deny', file: 'a', line: 1 }), ruleKey({ policy: '', rule: 'default-deny', file: 'a', line: 9 }));
  assert.deepEqual([6, 17, 132, 1, 58, 47].map((protocol) => traffic({ protocol, dstPort: 53 })), ['TCP 53', 'UDP 53', 'SCTP 53', 'ICMP', 'ICMP', 'IP 47']);
  assert.deepEqual([endpoint('10.0.0.1', 80), endpoint('fd00::1', 80), endpoint('fd00::1', 0)], ['10.0.0.1:80', '[fd00::1]:80', 'fd00::1']);
});

const flow = { from: 'web-1', fromService: 'storefront', fromZone: 'web', to: 'world', src: '10.0.0.2', dst: '203.0.113.9', protocol: 6, dstPort: 4444, verdict: 'dropped', toCome: 'dropped', rule: { policy: '', rule: 'default-deny', file: 'zones.yaml', line: 4 }, host: 'h', reason: 'policy' };

test('a filter is what the address bar says, and back', () => {
  const c = parseFilter(new URLSearchParams('verdict=dropped&from=storefront&not-traffic=ICMP&nonsense=1&q='));
  assert.equal(c.length, 3);
  assert.deepEqual(parseFilter(new URLSearchParams(filterParams(c))), c);
  assert.ok(matches(c, flow));
});

test('conditions of one field are alternatives, of several all hold, and exclusions win', () => {
  const is = (field, value) => ({ field, value, not: false });
  assert.ok(matches([is('verdict', 'forwarded'), is('verdict', 'dropped')], flow));
  assert.ok(!matches([is('verdict', 'dropped'), is('to', 'orders-db')], flow));
  assert.ok(!matches([is('verdict', 'dropped'), { field: 'zone', value: 'outside', not: true }], flow));
  for (const [f, v] of [['from', 'web-1'], ['name', 'storefront'], ['tozone', 'outside'], ['addr', '10.0.0.2'], ['traffic', 'TCP 4444'], ['rule', 'default-deny'], ['site', 'zones.yaml:4'], ['q', 'STOREFRONT']]) {
    assert.ok(matches([is(f, v)], flow), `${f}=${v}`);
    assert.ok(!matches([is(f, 'something else')], flow), f);
  }
});

test('toggling twice leaves no trace, and the server gets what it can apply', () => {
  const once = toggle([], 'from', 'a');
  assert.deepEqual(toggle(once, 'from', 'a'), []);
  assert.deepEqual(toggle(once, 'from', 'a', true), [{ field: 'from', value: 'a', not: true }]);
  assert.deepEqual([serverQuery(once).query.toString(), serverQuery(once).whole], ['from=a', true]);
  assert.equal(serverQuery(toggle(once, 'addr', '::1')).whole, false);
});
