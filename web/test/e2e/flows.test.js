import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { done, onPage, query, until } from './helpers.js';

after(done);

const rows = (p) => p.locator('.flow');

test('any value filters by itself, Alt leaves it out, and the address keeps it', () =>
  onPage('demo', '/flows', async (p) => {
    await rows(p).nth(20).waitFor();
    await p.keyboard.press('Space');
    await p.locator('[data-field="to"][data-value="cache"]').first().click();
    assert.equal(await query(p), '/flows?to=cache');
    const shown = (field) => rows(p).locator(`[data-field="${field}"]`).evaluateAll((v) => v.map((e) => e.dataset.value));
    await until('only to cache', async () => (await shown('to')).length > 3 && (await shown('to')).every((v) => v === 'cache'));
    await p.keyboard.press('Space');
    await p.locator('[data-field="from"][data-value="orders"]').first().click({ modifiers: ['Alt'] });
    assert.equal(await query(p), '/flows?to=cache&not-from=orders');
    await until('none from orders', async () => (await rows(p).count()) > 0 && !(await shown('from')).includes('orders'));
    await p.getByRole('button', { name: /^to cache/ }).click();
    assert.equal(await query(p), '/flows?not-from=orders');
    await p.getByRole('button', { name: 'dropped' }).click();
    assert.equal(await query(p), '/flows?not-from=orders&verdict=dropped');
    await until('only drops', async () => (await rows(p).count()) > 3 && (await shown('verdict')).every((v) => v === 'dropped'));
    await p.reload();
    await p.getByRole('button', { name: 'dropped', pressed: true }).waitFor();
  }));

test('every row has its verdict in words with the rule and its place', () =>
  onPage('demo', '/flows?from=legacy-reports', async (p) => {
    await rows(p).first().waitFor();
    const text = await rows(p).first().innerText();
    for (const want of ['legacy-reports', 'orders-db', 'TCP 5432', 'audited', 'default-allow', 'zones.yaml:22', 'dropped', 'host-data']) assert.ok(text.includes(want), `${want} in ${text}`);
  }));

test('rows hold still under the pointer', () =>
  onPage('demo', '/flows', async (p) => {
    await rows(p).nth(20).waitFor();
    await p.getByRole('table').hover();
    await p.getByText('held while you point').waitFor();
    await p.getByText(/^newest/).waitFor();
  }));

test('freezing holds the rows and counts what comes; following shows it', () =>
  onPage('demo', '/flows', async (p) => {
    await rows(p).nth(20).waitFor();
    await p.keyboard.press('Space');
    await p.getByText(/frozen, /).waitFor();
    const first = await rows(p).first().locator('span').nth(1).innerText();
    await p.getByText(/frozen, \d+ new/).waitFor();
    assert.equal(await rows(p).first().locator('span').nth(1).innerText(), first);
    await p.keyboard.press('Space');
    await until('newer rows', async () => (await rows(p).first().locator('span').nth(1).innerText()) !== first);
  }));

test('arrows walk the table, Enter opens, Esc closes', () =>
  onPage('demo', '/flows', async (p) => {
    await until('the history', async () => Number(await p.getByRole('table').getAttribute('aria-rowcount')) > 200);
    for (let i = 0; i < 40; i++) await p.keyboard.press('ArrowDown');
    const chosen = p.locator('.flow[aria-selected="true"]');
    assert.equal(await chosen.getAttribute('aria-rowindex'), '41');
    assert.ok(await chosen.isVisible());
    await p.keyboard.press('Enter');
    await p.getByRole('complementary').getByText('In force').waitFor();
    await p.keyboard.press('ArrowUp');
    assert.equal(await chosen.getAttribute('aria-rowindex'), '40');
    await p.keyboard.press('Escape');
    await p.getByRole('complementary').waitFor({ state: 'detached' });
  }));

test('the table draws what is in sight and holds no more than 2,000', () =>
  onPage('flood', '/flows', async (p) => {
    await until('a full table', async () => Number(await p.getByRole('table').getAttribute('aria-rowcount')) >= 2001);
    assert.equal(await p.getByRole('table').getAttribute('aria-rowcount'), '2001');
    assert.ok((await rows(p).count()) < 80);
    await p.getByRole('table').evaluate((t) => t.scrollTo(0, 30_000));
    await p.getByText(/frozen/).waitFor();
    await until('rows far down', async () => Number(await rows(p).first().getAttribute('aria-rowindex')) > 1000);
  }));

test('nothing found says what to do', () =>
  onPage('demo', '/flows?from=nobody', async (p) => {
    await p.getByText('No flow that is still kept meets all of this').waitFor();
    await p.getByRole('link', { name: 'Clear the filters' }).click();
    assert.equal(await query(p), '/flows');
    await rows(p).first().waitFor();
  }));
