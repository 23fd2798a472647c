// Estates to show: the three-tier demonstration, and larger ones made to measure.
import { seeded } from './random.js';

const zone = (name, line, extra = {}) => ({ name, owner: `team-${name}`, sensitivity: 'internal', stage: 'enforce', default: 'deny', file: 'policy/zones.yaml', line, ...extra });

const rule = (policy, name, file, line, from, to, traffic, extra = {}) => {
  const info = { policy, rule: name, file, line, effect: 'allow', stage: 'enforce', tier: 'application', from, to, traffic, reason: '', owner: `${policy}-team`, ...extra };
  const [fk, fn] = from.split(' ');
  const [tk, tn] = to.split(' ');
  info.text = [
    `- name: ${name}`,
    `  effect: ${info.effect}`,
    ...(info.stage === 'enforce' ? [] : [`  stage: ${info.stage}`]),
    `  from: {${fn ? `${fk}: ${fn}` : 'any: true'}}`,
    `  to:   {${tn ? `${tk}: ${tn}` : 'any: true'}}`,
    ...(traffic === 'all' ? [] : [`  ports: [${traffic.split(' ')[1]}/${traffic.split(' ')[0]}]`]),
    ...(info.reason ? [`  reason: ${info.reason}`] : []),
    '',
  ].join('\n');
  return info;
};

const byDefault = (z) => ({ policy: '', rule: 'default-deny', file: z.file, line: z.line, effect: 'deny', stage: z.stage, tier: 'default', from: 'any', to: `zone ${z.name}`, traffic: 'all', text: `  default: deny\n` });

/** Three networks, real services, and a web workload that an attacker has taken. */
export function demoEstate() {
  const zones = [
    zone('data', 22, { sensitivity: 'restricted', owner: 'platform-db' }),
    zone('web', 4),
    zone('app', 13),
  ];
  const services = [
    { name: 'storefront', zone: 'web', workloads: ['web-1', 'web-2'], ports: ['http 8080/TCP'] },
    { name: 'static', zone: 'web', workloads: ['web-3'], ports: ['http 8080/TCP'] },
    { name: 'orders', zone: 'app', workloads: ['app-1', 'app-2'], ports: ['api 8080/TCP', 'debug 6060/TCP'] },
    { name: 'payments', zone: 'app', workloads: ['app-3'], ports: ['grpc 9090/TCP'] },
    { name: 'metrics', zone: 'app', workloads: ['app-4'], ports: ['statsd 8125/UDP'] },
    { name: 'orders-db', zone: 'data', workloads: ['data-1'], ports: ['postgres 5432/TCP'] },
    { name: 'cache', zone: 'data', workloads: ['data-2'], ports: ['redis 6379/TCP'] },
    { name: 'legacy-reports', zone: 'data', workloads: ['legacy-reports'], ports: [], loose: true },
  ];
  const f = 'policy/shop.yaml';
  const rules = [
    rule('edge', 'world-to-storefront', 'policy/edge.yaml', 8, 'any', 'service storefront', 'TCP 8080'),
    rule('edge', 'storefront-to-static', 'policy/edge.yaml', 14, 'service storefront', 'service static', 'TCP 8080'),
    rule('orders', 'web-to-orders', f, 9, 'service storefront', 'service orders', 'TCP 8080', { reason: 'the shop places orders' }),
    rule('orders', 'orders-to-db', f, 15, 'service orders', 'service orders-db', 'TCP 5432', { reason: 'orders owns these tables' }),
    rule('orders', 'orders-to-cache', f, 21, 'service orders', 'service cache', 'TCP 6379'),
    rule('orders', 'orders-to-payments', f, 27, 'service orders', 'service payments', 'TCP 9090'),
    rule('payments', 'to-psp', 'policy/payments.yaml', 6, 'service payments', 'external payments-psp', 'TCP 443', { reason: 'card capture' }),
    rule('telemetry', 'app-to-metrics', 'policy/telemetry.yaml', 5, 'zone app', 'service metrics', 'UDP 8125', { tier: 'baseline' }),
    rule('orders', 'no-reports-on-db', f, 33, 'service legacy-reports', 'service orders-db', 'all', { effect: 'deny', stage: 'observe', reason: 'reports move to the replica' }),
    ...zones.map(byDefault),
    { policy: 'builtin', rule: 'icmp-errors', file: '', line: 0, effect: 'allow', stage: 'enforce', tier: 'builtin', from: 'any', to: 'any', traffic: 'ICMP' },
  ];
  const path = (from, to, traffic, verdict, ruleName, weight, extra = {}) => ({ from, to, traffic, verdict, ruleName, weight, ...extra });
  const paths = [
    path('world', 'storefront', 'TCP 8080', 'forwarded', 'world-to-storefront', 30),
    path('storefront', 'static', 'TCP 8080', 'forwarded', 'storefront-to-static', 10),
    path('storefront', 'orders', 'TCP 8080', 'forwarded', 'web-to-orders', 40),
    path('orders', 'orders-db', 'TCP 5432', 'forwarded', 'orders-to-db', 40),
    path('orders', 'cache', 'TCP 6379', 'forwarded', 'orders-to-cache', 60),
    path('orders', 'payments', 'TCP 9090', 'forwarded', 'orders-to-payments', 12),
    path('orders', 'metrics', 'UDP 8125', 'forwarded', 'app-to-metrics', 20),
    path('payments', 'payments-psp', 'TCP 443', 'forwarded', 'to-psp', 8),
    path('legacy-reports', 'orders-db', 'TCP 5432', 'audited', 'default-allow', 3, { toComeRule: 'no-reports-on-db' }),
    path('unknown', 'cache', 'TCP 6379', 'dropped', 'default-deny:data', 0.6),
    path('metrics', 'world', 'UDP 123', 'unjudged', '', 0.8),
    path('storefront', 'orders-db', 'TCP 5432', 'dropped', 'default-deny:data', 3, { attack: true }),
    path('storefront', 'orders', 'TCP 6060', 'dropped', 'default-deny:app', 2, { attack: true }),
    path('storefront', 'payments', 'scan', 'dropped', 'default-deny:app', 5, { attack: true }),
    path('storefront', 'world', 'TCP 4444', 'dropped', 'default-deny:web', 1.5, { attack: true }),
    path('metrics', 'orders-db', 'TCP 5432', 'dropped', 'default-deny:data', 0.4, { attack: true, reason: 'spoofed-source' }),
    path('storefront', 'cache', 'ICMP', 'dropped', 'default-deny:data', 1, { attack: true }),
  ];
  return { estate: 'shop', zones, services, rules, paths };
}

const NAMES = ['gateway', 'accounts', 'billing', 'catalog', 'search', 'basket', 'pricing', 'shipping', 'ledger', 'audit', 'mail', 'reviews', 'media', 'identity', 'sessions', 'events', 'reports', 'stock', 'returns', 'loyalty'];

/** An estate of n services in the given number of zones, with rules and paths between neighbours. */
export function madeEstate(n, zoneCount, seed = 7) {
  const r = seeded(seed);
  const all = ['edge', 'web', 'app', 'data', 'batch', 'platform', 'partner', 'legacy', 'analytics', 'payments', 'identity', 'build'];
  const zones = all.slice(0, zoneCount).map((name, i) => zone(name, 4 + 9 * i));
  const services = [];
  for (let i = 0; i < n; i++) {
    const z = zones[i % zoneCount].name;
    const name = `${NAMES[Math.floor(i / zoneCount) % NAMES.length]}-${z}${i >= zoneCount * NAMES.length ? `-${Math.floor(i / (zoneCount * NAMES.length)) + 1}` : ''}`;
    services.push({ name, zone: z, workloads: [`${name}-0`, `${name}-1`], ports: [`http ${8000 + (i % 90)}/TCP`] });
  }
  const rules = zones.map(byDefault);
  const paths = [];
  const add = (from, to, verdict, weight) => {
    const traffic = `TCP ${to.ports[0].match(/\d+/)[0]}`;
    if (verdict === 'forwarded') {
      const name = `${from.name}-to-${to.name}`;
      rules.push(rule(to.zone, name, `policy/${to.zone}.yaml`, 6 + 6 * rules.length, `service ${from.name}`, `service ${to.name}`, traffic));
      paths.push({ from: from.name, to: to.name, traffic, verdict, ruleName: name, weight });
    } else paths.push({ from: from.name, to: to.name, traffic, verdict, ruleName: `default-deny:${to.zone}`, weight });
  };
  for (const [i, s] of services.entries()) {
    const k = i % zoneCount;
    for (let e = 0; e < 2; e++) {
      const jump = r.next() < 0.72 ? 1 : r.next() < 0.5 ? 0 : 2;
      const near = services.filter((_, j) => j % zoneCount === Math.min(zoneCount - 1, k + jump));
      const t = r.pick(near.slice(0, 400));
      if (t && t !== s) add(s, t, 'forwarded', 1 + r.int(20));
    }
  }
  for (let i = 0; i < Math.max(3, n / 60); i++) {
    const [a, b] = [r.pick(services), r.pick(services)];
    if (a !== b) add(a, b, i % 3 === 2 ? 'audited' : 'dropped', 0.5);
  }
  paths.push({ from: 'world', to: services[0].name, traffic: 'TCP 443', verdict: 'forwarded', ruleName: rules.at(-1).rule, weight: 20 });
  return { estate: `made-${n}`, zones, services, rules, paths };
}
