import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, test } from 'node:test';
import { startMock } from '../mock/server.js';
import { done, onPage, query, until } from './helpers.js';

after(done);

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

test('keys go everywhere: g m, g f, /, Enter, Esc', () =>
  onPage('demo', '/map', async (p) => {
    await p.locator('[data-node="orders"]').waitFor();
    await p.keyboard.press('g');
    await p.keyboard.press('f');
    await until('flows', async () => (await query(p)) === '/flows');
    await p.keyboard.press('g');
    await p.keyboard.press('m');
    await until('map', async () => (await query(p)) === '/map');
    await p.keyboard.press('/');
    await p.keyboard.type('orders-to-db');
    await p.getByRole('option', { name: /orders\/orders-to-db/, selected: true }).waitFor();
    await p.keyboard.press('Enter');
    await p.getByText('- name: orders-to-db').waitFor();
    await p.keyboard.press('/');
    await p.keyboard.type('10.5.0.7');
    await p.keyboard.press('Enter');
    assert.equal(await query(p), '/flows?addr=10.5.0.7');
    await p.keyboard.press('/');
    await p.getByRole('combobox').waitFor();
    await p.keyboard.press('Escape');
    await p.getByRole('combobox').waitFor({ state: 'detached' });
  }));

test('a restarted server is found again, and until then the page says what failed and what holds', () =>
  onPage('demo', '/map', async (p, mock) => {
    await p.locator('[data-node="orders"]').waitFor();
    await p.getByText('live', { exact: true }).waitFor();
    await mock.stop();
    const banner = p.getByRole('alert');
    await banner.waitFor();
    assert.match(await banner.innerText(), /No connection to firebreak serve.*Enforcement goes on in the kernel/s);
    await p.getByText('not connected', { exact: true }).waitFor();
    assert.ok(await p.locator('[data-node="orders"]').isVisible(), 'what was known stays');
    const again = await startMock('quiet', { port: mock.port });
    try {
      await banner.waitFor({ state: 'detached' });
      await p.getByText('live', { exact: true }).waitFor();
    } finally {
      await again.stop();
    }
  }, { errors: false }));

test('what is lost, unknown, unjudged or not enforced is shown with what it means', () =>
  onPage('lossy', '/map', async (p) => {
    await p.getByRole('button', { name: 'lost 1,204' }).click();
    await p.getByText(/may be too low by that many/).waitFor();
    await p.getByRole('button', { name: /^unknown \d/ }).click();
    await p.getByText(/no workload in the inventory owns it/).waitFor();
    await p.getByRole('button', { name: '1/3 hosts in force' }).click();
    const about = p.getByRole('group', { name: 'Enforcement' });
    const text = await about.innerText();
    for (const want of ['offline', 'refused', 'unknown-reference', 'in force', 'full', '12']) assert.ok(text.includes(want), want);
    await p.keyboard.press('Escape');
    await about.waitFor({ state: 'detached' });
  }));

test('a recorded run is labelled', () =>
  onPage('recorded', '/flows', async (p) => p.getByRole('button', { name: 'recorded run' }).waitFor()));

test('empty states name the command', () =>
  onPage('empty', '/map', async (p) => {
    await p.getByText('sudo firebreak agent --config agent.yaml').waitFor();
    await p.getByText('make demo').waitFor();
    await p.goto(p.url().replace('/map', '/flows'));
    await p.getByText('No agent has connected yet').waitFor();
  }));

test('what the server refuses is said, with what still holds', () =>
  onPage('demo', '/map', async (p) => {
    await p.locator('[data-node="orders"]').waitFor();
    await p.route('**/api/v1/flows?*', (r) => r.fulfill({ status: 500, json: { error: 'out of luck' } }));
    await p.keyboard.press('g');
    await p.keyboard.press('f');
    await p.getByText('Earlier flows cannot be listed: out of luck. New ones appear here.').waitFor();
    await p.locator('.flow').first().waitFor();
  }, { errors: false }));

test('names from the network are text and never markup', () =>
  onPage('idle', '/map', async (p, mock) => {
    await p.locator('[data-node="orders"]').waitFor();
    const evil = '<img src=x onerror="document.title=1">"\'';
    const at = new Date().toISOString();
    const rule = { policy: evil, rule: evil, file: evil, line: 1 };
    mock.push({
      edges: [{ id: evil, from: evil, to: 'orders', fromZone: '', toZone: 'app', traffic: evil, verdict: 'dropped', toCome: 'dropped', rule, toComeRule: rule, reason: evil, flows: 1, packets: 1, bytes: 1, first: at, last: at }],
      flows: [{ time: at, host: evil, direction: 0, src: '203.0.113.1', dst: '10.0.0.1', srcPort: 0, dstPort: 1, protocol: 6, from: evil, to: 'orders', verdict: 'dropped', rule, toCome: 'dropped', toComeRule: rule, reason: evil, revision: 1 }],
    });
    await p.getByRole('complementary').getByRole('listitem').filter({ hasText: evil }).getByRole('button').click();
    await p.getByRole('heading', { name: evil, level: 1 }).waitFor();
    assert.equal(await p.locator('img').count(), 0);
    assert.equal(await p.title(), 'Map · Firebreak');
  }));

for (const colorScheme of ['dark', 'light']) {
  for (const [name, scenario, path] of [['map', 'lossy', '/map'], ['why', 'demo', '/map?from=storefront&to=orders-db&verdict=dropped'], ['flows', 'demo', '/flows?verdict=dropped'], ['empty', 'empty', '/map']]) {
    test(`axe finds nothing: ${name}, ${colorScheme}`, () =>
      onPage(scenario, path, async (p) => {
        await p.getByText('live', { exact: true }).waitFor();
        await p.locator(scenario === 'empty' ? 'h1' : name === 'flows' ? '.flow' : '[data-node]').first().waitFor();
        await p.evaluate(axe);
        const found = await p.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }));
        assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html} ${n.any[0]?.message ?? ''}`).join('\n')}`), []);
      }, { colorScheme }));
  }
}

for (const [width, height] of [[1280, 800], [1920, 1080], [390, 844]]) {
  for (const path of ['/map', '/flows', '/map?from=storefront&to=orders-db&verdict=dropped']) {
    test(`nothing is wider than the screen: ${path} at ${width}`, () =>
      onPage('lossy', path, async (p) => {
        await p.locator(path === '/flows' ? '.flow' : '[data-node]').first().waitFor();
        const wide = await p.evaluate(() => [document.documentElement.scrollWidth, ...[...document.querySelectorAll('main, aside, .scroll')].map((e) => e.scrollWidth - e.clientWidth + innerWidth)]);
        assert.ok(wide.every((w) => w <= width), `${wide}`);
      }, { width, height }));
  }
}
