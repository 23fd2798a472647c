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
  try {
    await readEvents('/api/v1/stream', {
      emit,
      signal: abort.signal,
      opened() {
        attempt = 0;
        self.postMessage({ link: { state: 'live' } });
      },
    });
  } catch (err) {
    const wait = Math.min(5000, 500 * 2 ** attempt++);
    self.postMessage({ link: { state: 'lost', why: String(err?.message ?? err), wait } });
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
