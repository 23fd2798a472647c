// node test/shots.js DIR [name…]: pictures of every view, to be looked at.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { browser } from './browser.js';
import { startMock } from './mock/server.js';

const [dir = 'test/out', ...only] = process.argv.slice(2);
mkdirSync(dir, { recursive: true });

const L = { width: 1280, height: 800 };
const XL = { width: 1920, height: 1080 };
const PHONE = { width: 390, height: 844 };
const WHY = '/map?from=storefront&to=orders-db&verdict=dropped';
const views = [
  ['map', 'demo', '/map', [L, XL]],
  ['quiet', 'quiet', '/map', [L]],
  ['why', 'demo', WHY, [L, XL]],
  ['why-audited', 'demo', '/map?from=legacy-reports&to=orders-db&verdict=audited', [L]],
  ['node', 'demo', '/map?node=storefront', [L]],
  ['flows', 'demo', '/flows', [L, XL]],
  ['flows-filtered', 'demo', '/flows?verdict=dropped&from=storefront', [L]],
  ['flow', 'demo', '/flows', [L], async (p) => p.locator('.flow .num').nth(4).click()],
  ['search', 'demo', '/map', [L], async (p) => { await p.keyboard.press('/'); await p.keyboard.type('ord'); }],
  ['agents', 'lossy', '/map', [L], async (p) => p.getByRole('button', { name: /hosts in force/ }).click()],
  ['recorded', 'recorded', '/map', [L], async (p) => p.getByRole('button', { name: 'recorded run' }).click()],
  ['fifty', 'fifty', '/map', [L, XL]],
  ['huge', 'huge', '/map', [L, XL]],
  ['huge-open', 'huge', '/map?open=web', [L]],
  ['flood', 'flood', '/map', [L]],
  ['flood-flows', 'flood', '/flows', [L]],
  ['empty', 'empty', '/map', [L]],
  ['idle', 'idle', '/map', [L]],
  ['phone-map', 'demo', '/map', [PHONE]],
  ['phone-why', 'demo', WHY, [PHONE]],
  ['phone-flows', 'demo', '/flows', [PHONE]],
  ['disconnected', 'demo', '/map', [L], async (p, mock) => { await mock.stop(); await p.locator('.banner').waitFor(); }],
];

const b = await browser();
for (const [name, scenario, path, sizes, act] of views) {
  if (only.length && !only.includes(name)) continue;
  for (const size of sizes) {
    for (const scheme of ['dark', 'light']) {
      const mock = await startMock(scenario);
      const page = await b.newPage({ viewport: size, colorScheme: scheme, deviceScaleFactor: size === PHONE ? 2 : 1 });
      page.on('pageerror', (e) => console.error(name, String(e)));
      page.on('console', (m) => m.type() === 'error' && !/ERR_|Failed to load/.test(m.text()) && console.error(name, m.text()));
      await page.goto(mock.url + path);
      await page.waitForTimeout(2500);
      await act?.(page, mock);
      await page.waitForTimeout(600);
      await page.screenshot({ path: join(dir, `${name}-${size.width}-${scheme}.png`) });
      await page.close();
      await mock.stop().catch(() => {});
    }
  }
}
await b.close();
