import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { done, onPage, query, until } from './helpers.js';

after(done);

const line = (p, key) => p.locator(`g[data-line="${key}"]`);
const boxes = (p) => p.locator('[data-node]').evaluateAll((all) => all.map((b) => [b.dataset.node, b.style.left, b.style.top]).filter(([n]) => n !== 'unknown'));

test('zones stand as compartments with their services, and verdicts differ in more than colour', () =>
  onPage('demo', '/', async (p) => {
    await line(p, 'storefront>orders-db>dropped').waitFor({ state: 'attached' });
    await line(p, 'legacy-reports>orders-db>audited').waitFor({ state: 'attached' });
    await line(p, 'metrics>world>unjudged').waitFor({ state: 'attached' });
    assert.deepEqual(await p.locator('.head .zone').allTextContents(), ['outside', 'web', 'app', 'data']);
    const style = (key) => line(p, key).locator('.line').evaluate((e) => [getComputedStyle(e).strokeWidth, getComputedStyle(e).strokeDasharray]);
    const [solid, thick, dashed, dotted] = await Promise.all(['storefront>orders>forwarded', 'storefront>orders-db>dropped', 'legacy-reports>orders-db>audited', 'metrics>world>unjudged'].map(style));
    assert.ok(parseFloat(thick[0]) >= 2 * parseFloat(solid[0]));
    assert.equal(solid[1], 'none');
    assert.notEqual(dashed[1], 'none');
    assert.notEqual(dotted[1], dashed[1]);
    assert.equal(await line(p, 'storefront>orders-db>dropped').locator('.stop').count(), 1);
    await p.getByText(/7 paths dropped/).waitFor();
  }));

test('a quiet network says so', () =>
  onPage('quiet', '/map', async (p, mock) => {
    mock.traffic.estate.paths = mock.traffic.estate.paths.filter((x) => x.verdict === 'forwarded');
    await p.locator('[data-node="orders"]').waitFor();
    await p.getByText('paths dropped').waitFor({ state: 'detached' });
  }));

test('a click on a line tells why, with both verdicts, the rule, its text and its flows', () =>
  onPage('demo', '/map', async (p) => {
    const hit = line(p, 'legacy-reports>orders-db>audited').locator('.hit');
    await hit.waitFor({ state: 'attached' });
    const at = await hit.evaluate((e) => {
      const m = e.getPointAtLength(e.getTotalLength() / 2).matrixTransform(e.getScreenCTM());
      return [m.x, m.y];
    });
    await p.mouse.click(...at);
    const panel = p.getByRole('complementary');
    await panel.getByRole('heading', { name: 'legacy-reports → orders-db' }).waitFor();
    assert.match(await query(p), /from=legacy-reports&to=orders-db&verdict=audited/);
    const text = await panel.innerText();
    for (const want of ['In force', 'To come', 'orders/no-reports-on-db', 'policy/shop.yaml:33', 'effect', 'stage', 'observe', 'tier', 'reports move to the replica', 'conversations', 'packets', 'first', 'last', 'Recent flows']) {
      assert.ok(text.includes(want), `${want} is missing in:\n${text}`);
    }
    assert.ok(text.includes('- name: no-reports-on-db'), 'the text of the rule');
    await until('recent flows', () => panel.locator('tbody tr').count());
    await p.keyboard.press('Escape');
    await panel.getByRole('heading', { name: 'Latest verdicts' }).waitFor();
    await p.goBack();
    await panel.getByRole('heading', { name: 'legacy-reports → orders-db' }).waitFor();
  }));

test('the latest verdicts name the rule and its place, and open the why', () =>
  onPage('demo', '/map', async (p) => {
    const row = p.getByRole('complementary').getByRole('listitem').filter({ hasText: 'storefront → orders-db' });
    await row.waitFor();
    assert.match(await row.innerText(), /dropped by default-deny\s+zones\.yaml:22/);
    await row.getByRole('button').click();
    await p.getByRole('heading', { name: 'storefront → orders-db', exact: true }).waitFor();
  }));

test('why names the reason where no rule spoke', () =>
  onPage('demo', '/map?from=metrics&to=orders-db&verdict=dropped', async (p) => {
    await p.getByText('The source address belongs to another workload.').waitFor();
    await p.keyboard.press('Escape');
    await p.getByText('spoofed source by default-deny').waitFor();
  }));

test('an address reproduces the view', () =>
  onPage('demo', '/map?rule=orders%2Forders-to-db%40policy%2Fshop.yaml%3A15&hide=forwarded&t=5', async (p) => {
    await p.getByText('- name: orders-to-db').waitFor();
    await p.getByRole('button', { name: '5 s', pressed: true }).waitFor();
    await line(p, 'storefront>orders-db>dropped').waitFor({ state: 'attached' });
    assert.equal(await p.locator('g.forwarded').count(), 0);
  }));

test('nothing moves while data comes', () =>
  onPage('fifty', '/map', async (p, mock) => {
    await p.locator('[data-node="world"]').waitFor();
    const before = await boxes(p);
    const seen = mock.traffic.totals.forwarded;
    await until('more traffic', () => mock.traffic.totals.forwarded > seen + 300);
    mock.push({ edges: [{ id: 'new', from: 'unknown', to: 'gateway-web', fromZone: '', toZone: 'web', traffic: 'TCP 22', verdict: 'dropped', toCome: 'dropped', rule: {}, toComeRule: {}, flows: 1, packets: 1, bytes: 60, first: new Date().toISOString(), last: new Date().toISOString() }] });
    await p.locator('[data-node="unknown"]').waitFor();
    assert.deepEqual(await boxes(p), before);
  }));

test('2,000 services are zones that open on click', () =>
  onPage('huge', '/map', async (p) => {
    await p.locator('[data-node="zone:web"]').click();
    await p.locator('[data-node="gateway-web"]').waitFor();
    assert.equal(await query(p), '/map?open=web');
    assert.equal(await p.locator('[data-node$="-web"], [data-node*="-web-"]').count(), 167);
    await p.getByRole('button', { name: 'close', exact: true }).click();
    await p.locator('[data-node="zone:web"]').waitFor();
  }));

test('a line between zones lists its edges', () =>
  onPage('huge', '/map?from=zone%3Aedge&to=zone%3Aweb&verdict=forwarded', async (p) => {
    await p.getByRole('heading', { name: 'zone edge → zone web' }).waitFor();
    await until('edges', async () => (await p.getByRole('complementary').getByRole('listitem').count()) > 20);
  }));

test('the timeline shows what is picked, with the last minute of it', () =>
  onPage('demo', '/map', async (p) => {
    await p.locator('[data-node="orders"]').waitFor();
    const red = () => p.locator('.timeline canvas').nth(1).evaluate((c) => {
      const px = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      let n = 0;
      for (let i = 0; i < px.length; i += 4) n += px[i] > 200 && px[i + 1] < 150 && px[i + 3] > 100;
      return n;
    });
    const all = await until('a drawn minute', red);
    await p.goto(`${new URL(p.url()).origin}/map?from=storefront&to=orders-db&verdict=dropped`);
    await p.getByRole('heading', { name: /Packets per 10 ms of storefront → orders-db/ }).waitFor();
    await until('only drops of the line', async () => {
      const n = await red();
      return n > 10 && n < all * 0.7;
    });
  }));
