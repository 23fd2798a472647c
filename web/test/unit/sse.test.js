import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventParser } from '../../src/lib/sse.js';

function parse(chunks) {
  const out = [];
  const p = new EventParser();
  for (const c of chunks) p.push(c, (event, data) => out.push([event, data]));
  return out;
}

const text = ': keep-alive\n\nevent: snapshot\ndata: {"a":1}\n\nevent: batch\r\ndata: x\r\ndata: y\r\n\r\ndata:bare\n\n';
const want = [['snapshot', '{"a":1}'], ['batch', 'x\ny'], ['message', 'bare']];

test('events are the same however the stream is cut', () => {
  assert.deepEqual(parse([text]), want);
  for (let i = 1; i < text.length; i++) assert.deepEqual(parse([text.slice(0, i), text.slice(i)]), want, `cut at ${i}`);
  assert.deepEqual(parse([...text]), want);
});

test('an unfinished event is not given out', () => {
  assert.deepEqual(parse(['event: batch\ndata: {"half":']), []);
});
