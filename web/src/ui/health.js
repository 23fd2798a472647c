// Whether an agent really enforces, in a word and a level: 0 well, 1 look, 2 wrong.
import { toMillis } from '../lib/format.js';

const SILENT_MS = 5000;

/**
 * The state of one agent. Where it is not connected its kernel goes on
 * enforcing what it last had; we only cannot see it. Revisions of agents that
 * run from files of their own are not comparable, so nothing is made of them.
 */
export function health(agent, now, recorded = false) {
  if (agent.error) return { level: 2, word: 'refused' };
  if (agent.revision === 0) return { level: 2, word: 'no policy' };
  if (recorded) return { level: 0, word: 'recorded' };
  if (!agent.connected) return { level: 2, word: 'offline' };
  if (now - toMillis(agent.time) > SILENT_MS) return { level: 1, word: 'silent' };
  return { level: 0, word: 'in force' };
}
