// Traffic in 10 ms bins for the last minute, in a ring of fixed size.
import { VERDICTS } from './words.js';

export const BIN_MS = 10;

/** Whether a bin is of what was picked: {node}, or {from, to}. */
export function isOf(pick, bin) {
  return pick.node === undefined ? bin.from === pick.from && bin.to === pick.to : bin.from === pick.node || bin.to === pick.node;
}
export const SLOTS = 6200; // 60 s and a little, for bins that come late

/** Packets and bytes by verdict and 10 ms tick. Old ticks make room for new ones. */
export class BinRing {
  ticks = new Float64Array(SLOTS).fill(-1);
  packets = VERDICTS.map(() => new Float64Array(SLOTS));
  bytes = VERDICTS.map(() => new Float64Array(SLOTS));
  newest = -1;

  /** Adds to a bin. What is older than the ring is dropped. */
  add(tick, verdictIndex, packets, bytes) {
    if (verdictIndex < 0 || tick <= this.newest - SLOTS) return;
    const slot = tick % SLOTS;
    if (this.ticks[slot] !== tick) {
      if (this.ticks[slot] > tick) return;
      this.ticks[slot] = tick;
      for (let v = 0; v < VERDICTS.length; v++) this.packets[v][slot] = this.bytes[v][slot] = 0;
    }
    this.packets[verdictIndex][slot] += packets;
    this.bytes[verdictIndex][slot] += bytes;
    if (tick > this.newest) this.newest = tick;
  }

  /** Sum of packets of one verdict over [from, from+n) ticks. */
  sum(verdictIndex, from, n, what = this.packets) {
    let total = 0;
    const values = what[verdictIndex];
    for (let tick = from; tick < from + n; tick++) {
      const slot = ((tick % SLOTS) + SLOTS) % SLOTS;
      if (this.ticks[slot] === tick) total += values[slot];
    }
    return total;
  }

  /** A copy that no later bin changes, for looking back in peace. */
  copy() {
    const c = new BinRing();
    c.ticks.set(this.ticks);
    this.packets.forEach((a, v) => c.packets[v].set(a));
    this.bytes.forEach((a, v) => c.bytes[v].set(a));
    c.newest = this.newest;
    return c;
  }
}
