// Reads the stream, folds it, and posts at most one patch per frame of the
// page: the next patch goes out only after the page has shown the last one.
import { FeedState } from './feed-state.js';
import { readEvents } from './sse.js';

const state = new FeedState();
let ready = true;
let attempt = 0;
let retry;
let abort;

function post() {
  if (!ready) return;
  const patch = state.take();
  if (!patch) return;
  ready = false;
  self.postMessage({ patch });
}

function emit(event, data) {
  if (event !== 'snapshot' && event !== 'batch') return;
  state[event](JSON.parse(data));
  post();
}

async function connect() {
  clearTimeout(retry);
  abort = new AbortController();
  let opened = false;
  try {
    await readEvents('/api/v1/stream', {
      emit,
      signal: abort.signal,
      opened() {
        opened = true;
        attempt = 0;
        self.postMessage({ link: { state: 'live' } });
      },
    });
  } catch (err) {
    const wait = Math.min(5000, 500 * 2 ** attempt++);
    // Browsers word a broken network in ways of their own, all as TypeError.
    const why = err instanceof TypeError ? (opened ? 'the connection broke' : 'it cannot be reached') : String(err?.message ?? err);
    self.postMessage({ link: { state: 'lost', why, wait } });
    retry = setTimeout(connect, wait);
  }
}

self.onmessage = ({ data }) => {
  if (data.shown) {
    ready = true;
    post();
  }
  if ('want' in data) state.setWant(data.want);
  if ('pick' in data) state.setPick(data.pick);
  if (data.connect) connect();
};

connect();
