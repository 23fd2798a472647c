// The latest verdicts, without the noise: one line per kind of event. A line
// that is already in sight is updated where it stands; only a new kind of
// event, or one that was silent for a while, comes in at the top.
import { toMillis } from './format.js';
import { fromName, ruleKey, toName, traffic } from './words.js';

const SILENCE_MS = 10_000;
const REMEMBERED = 5000; // flows that may still be corrected
const MANY = 1000; // kinds of traffic counted in a group; a scan has many

/**
 * A bounded list of {key, flow, last, n, kinds}. The first entry is the newest
 * kind. A flow whose id came before corrects what was said of it then.
 */
export class LatestVerdicts {
  constructor(limit = 40) {
    this.limit = limit;
    this.groups = [];
    this.byKey = new Map();
    this.changed = false;
    this.#of = new Map();
  }

  #of; // id of a flow → its group, for the newest flows

  add(flow) {
    const key = `${fromName(flow)}\n${toName(flow)}\n${flow.verdict}\n${ruleKey(flow.rule)}\n${flow.reason}`;
    const at = toMillis(flow.time);
    this.changed = true;
    const before = this.#of.get(flow.id);
    if (before?.key === key) return;
    if (before) this.#takeBack(before);
    const known = this.byKey.get(key);
    const group = known ?? { key, flow, last: at, n: 0, kinds: new Set() };
    const silent = known && at - group.last > SILENCE_MS;
    group.n++;
    group.flow = flow;
    group.last = Math.max(group.last, at);
    if (group.kinds.size < MANY) group.kinds.add(traffic(flow));
    this.#remember(flow.id, group);
    if (known && !silent) return;
    if (known) this.groups.splice(this.groups.indexOf(group), 1);
    else this.byKey.set(key, group);
    this.groups.unshift(group);
    if (this.groups.length > this.limit) this.byKey.delete(this.#evict().key);
  }

  #remember(id, group) {
    if (id === undefined) return;
    this.#of.delete(id);
    this.#of.set(id, group);
    if (this.#of.size > REMEMBERED) this.#of.delete(this.#of.keys().next().value);
  }

  #takeBack(group) {
    group.n--;
    if (group.n > 0 || this.byKey.get(group.key) !== group) return;
    this.byKey.delete(group.key);
    this.groups.splice(this.groups.indexOf(group), 1);
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
