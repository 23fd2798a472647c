// The latest verdicts, without the noise: one line per kind of event. A line
// that is already in sight is updated where it stands; only a new kind of
// event, or one that was silent for a while, comes in at the top.
import { toMillis } from './format.js';
import { fromName, ruleKey, toName, traffic } from './words.js';

const SILENCE_MS = 10_000;
const MANY = 1000; // kinds of traffic counted in a group; a scan has many

/** A bounded list of {key, flow, last, n, kinds}. The first entry is the newest kind. */
export class LatestVerdicts {
  constructor(limit = 40) {
    this.limit = limit;
    this.groups = [];
    this.byKey = new Map();
    this.changed = false;
  }

  add(flow) {
    const key = `${fromName(flow)}\n${toName(flow)}\n${flow.verdict}\n${ruleKey(flow.rule)}\n${flow.reason}`;
    const at = toMillis(flow.time);
    this.changed = true;
    const g = this.byKey.get(key);
    if (g) {
      const silent = at - g.last > SILENCE_MS;
      g.n++;
      g.flow = flow;
      if (g.kinds.size < MANY) g.kinds.add(traffic(flow));
      g.last = Math.max(g.last, at);
      if (silent && this.groups[0] !== g) {
        this.groups.splice(this.groups.indexOf(g), 1);
        this.groups.unshift(g);
      }
      return;
    }
    const group = { key, flow, last: at, n: 1, kinds: new Set([traffic(flow)]) };
    this.byKey.set(key, group);
    this.groups.unshift(group);
    if (this.groups.length > this.limit) this.byKey.delete(this.#evict().key);
  }

  // The quietest group leaves: forwarded before anything worse, oldest first.
  #evict() {
    let worst = this.groups.length - 1;
    for (let i = worst; i > 0; i--) {
      if (this.groups[i].flow.verdict === 'forwarded') {
        worst = i;
        break;
      }
    }
    return this.groups.splice(worst, 1)[0];
  }
}
