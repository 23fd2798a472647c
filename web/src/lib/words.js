// The words of verdicts, rules and reasons, the same on every screen.

/** Verdicts from the quietest to the loudest: the order in which they are drawn. */
export const VERDICTS = ['forwarded', 'unjudged', 'audited', 'dropped'];

/** How loud a verdict is; the loudest of a group names the group. */
export function loudness(verdict) {
  return VERDICTS.indexOf(verdict);
}

/** What a verdict means, in one sentence. */
export const MEANING = {
  forwarded: 'Passed, and the policy in force says so.',
  unjudged: 'Seen, but no policy has judged it.',
  audited: 'Passes today; the policy to come drops it.',
  dropped: 'Stopped in the kernel by the policy in force.',
};

const REASONS = {
  'spoofed-source': 'The source address belongs to another workload.',
  malformed: 'Its headers could not be read to their end.',
  fragment: 'A fragment that was never reassembled.',
  'no-policy-yet': 'No policy had been loaded yet.',
  'permission-withdrawn': 'It was permitted once; that permission was withdrawn and the conversation ended.',
  expired: 'The time for which a rule permitted it is over.',
  'packet-socket': 'Sent by a packet socket, around the IP stack.',
};

/** Why something was dropped that no rule spoke about; empty when a rule decided. */
export function reasonText(reason) {
  if (!reason || reason === 'policy') return '';
  return REASONS[reason] ?? reason;
}

/** The reason in a few words, for a row; empty when a rule decided. */
export function reasonWord(reason) {
  return !reason || reason === 'policy' ? '' : reason.replaceAll('-', ' ');
}

/** policy/rule, or the rule's name alone for defaults. */
export function ruleName(rule) {
  if (!rule || !rule.rule) return '';
  return rule.policy ? `${rule.policy}/${rule.rule}` : rule.rule;
}

/** file:line, empty for what no file says. */
export function ruleSite(rule) {
  return rule?.file ? `${rule.file}:${rule.line}` : '';
}

/** The last part of the file with the line, where there is no room for the way to it. */
export function ruleSpot(rule) {
  return rule?.file ? `${rule.file.slice(rule.file.lastIndexOf('/') + 1)}:${rule.line}` : '';
}

/** What makes two mentions of a rule the same rule. Defaults differ by their place. */
export function ruleKey(rule) {
  return rule ? `${rule.policy}/${rule.rule}@${rule.file}:${rule.line}` : '';
}

const PROTOCOLS = { 1: 'ICMP', 58: 'ICMP', 6: 'TCP', 17: 'UDP', 132: 'SCTP' };

/** The traffic of one flow as the policy language writes it: TCP 5432, ICMP, IP 47. */
export function traffic(flow) {
  const name = PROTOCOLS[flow.protocol];
  if (!name) return `IP ${flow.protocol}`;
  return name === 'ICMP' ? name : `${name} ${flow.dstPort}`;
}

/** The name under which an edge knows a flow's end: its service, else its own name, else its address. */
export const fromName = (f) => f.fromService || f.from || f.src;
export const toName = (f) => f.toService || f.to || f.dst;

/** An address with its port; IPv6 in brackets. */
export function endpoint(addr, port) {
  if (!port) return addr ?? '';
  return addr?.includes(':') ? `[${addr}]:${port}` : `${addr}:${port}`;
}
