// A reader for Server-Sent Events over fetch. EventSource would hide the
// keep-alive comments, and without them a dead connection looks like a quiet
// network.

/** Why the server refused, in its own words where it gives any. */
export async function refusal(answer) {
  try {
    return (await answer.json()).error || `the server answered ${answer.status}`;
  } catch {
    return `the server answered ${answer.status}`;
  }
}

/** Splits a stream of text into events. Feed it chunks of any size. */
export class EventParser {
  #parts = []; // the unfinished line, in pieces: a snapshot may be megabytes long
  #event = '';
  #data = [];

  /** Calls emit(event, data) for every event that the chunk completes. */
  push(chunk, emit) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf('\n', start);
      if (end < 0) break;
      let line = chunk.slice(start, end);
      if (this.#parts.length) {
        this.#parts.push(line);
        line = this.#parts.join('');
        this.#parts = [];
      }
      start = end + 1;
      this.#line(line.endsWith('\r') ? line.slice(0, -1) : line, emit);
    }
    if (start < chunk.length) this.#parts.push(chunk.slice(start));
  }

  #line(line, emit) {
    if (line === '') {
      if (this.#data.length) emit(this.#event || 'message', this.#data.join('\n'));
      this.#event = '';
      this.#data = [];
    } else if (line.startsWith('data:')) {
      this.#data.push(line.slice(line[5] === ' ' ? 6 : 5));
    } else if (line.startsWith('event:')) {
      this.#event = line.slice(6).trim();
    } // comments, ids and what we do not know mean nothing here
  }
}

/**
 * Reads url until it ends, fails or stays silent for longer than silenceMs.
 * Calls opened() once the answer is good. Throws with a message for people.
 */
export async function readEvents(url, { emit, opened, signal, silenceMs = 40_000 }) {
  const stop = new AbortController();
  const give = () => stop.abort(new Error('stopped'));
  signal?.addEventListener('abort', give);
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stop.abort(new Error(`nothing heard for ${silenceMs / 1000} s`)), silenceMs);
  };
  try {
    heard();
    const answer = await fetch(url, { headers: { accept: 'text/event-stream' }, cache: 'no-store', signal: stop.signal });
    if (!answer.ok || !answer.body) throw new Error(await refusal(answer));
    opened();
    const parser = new EventParser();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error('the server closed the stream');
      heard();
      parser.push(value, emit);
    }
  } catch (err) {
    throw stop.signal.aborted ? stop.signal.reason : err;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', give);
    stop.abort();
  }
}
