import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));

function files(dir, base = dir) {
  return readdirSync(dir).flatMap((n) => {
    const full = join(dir, n);
    return statSync(full).isDirectory() ? files(full, base) : [[relative(base, full), readFileSync(full, 'latin1')]];
  });
}

test('the committed files are what the source gives, byte for byte', async () => {
  const out = mkdtempSync(join(tmpdir(), 'dist-'));
  try {
    await build({ root, configFile: join(root, 'vite.config.js'), logLevel: 'error', build: { outDir: out, emptyOutDir: true } });
    const [want, got] = [new Map(files(out)), new Map(files(join(root, 'dist')))];
    assert.deepEqual([...got.keys()].sort(), [...want.keys()].sort(), 'run npm run build and commit dist');
    for (const [name, bytes] of want) assert.ok(got.get(name) === bytes, `${name} differs: run npm run build and commit dist`);
  } finally {
    rmSync(out, { recursive: true });
  }
});

test('the built page is safe under a strict content security policy', () => {
  for (const [name, text] of files(join(root, 'dist'))) {
    assert.ok(!/\beval\(|new Function\(/.test(text), `${name} evaluates text`);
    if (name.endsWith('.html')) assert.ok(!/<script(?![^>]*src=)|style=| on\w+=/.test(text), `${name} has something inline`);
  }
});
