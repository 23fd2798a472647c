// What the tests in the browser share: a page on a fresh mock that fails the
// test on any error, any refused resource and any request to elsewhere.
import assert from 'node:assert/strict';
import { browser } from '../browser.js';
import { startMock } from '../mock/server.js';

let shared;

/** Opens path on a scenario and runs the test on the page. */
export async function onPage(scenario, path, test, { width = 1280, height = 800, colorScheme = 'dark', errors = true } = {}) {
  shared ??= await browser();
  const mock = await startMock(scenario);
  const page = await shared.newPage({ viewport: { width, height }, colorScheme });
  const seen = [];
  page.on('pageerror', (e) => seen.push(String(e)));
  page.on('console', (m) => m.type() === 'error' && seen.push(m.text()));
  page.on('request', (r) => r.url().startsWith('http://127.0.0.1:') || seen.push(`asked ${r.url()}`));
  page.setDefaultTimeout(15_000);
  try {
    await page.goto(mock.url + path);
    await test(page, mock);
    if (errors) assert.deepEqual(seen, [], 'the page reported errors');
  } finally {
    await page.close();
    await mock.stop().catch(() => {});
  }
}

/** Ends the browser; call it when all tests of a file are done. */
export async function done() {
  await shared?.close();
  shared = undefined;
}

/** Waits until a condition holds in the test process. */
export async function until(what, condition, ms = 10_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

export const query = (page) => page.evaluate(() => location.pathname + location.search);
