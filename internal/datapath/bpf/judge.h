/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One packet at one end of its conversation. The conversation table is asked
 * first; only the first packet of a conversation, or the first under a new
 * revision, asks the policy. */
#ifndef FIREBREAK_JUDGE_H
#define FIREBREAK_JUDGE_H

#include "record.h"
#include "resolve.h"

#define PASS 1
#define DROP 0

#define HOOK_OUT 1
#define HOOK_IN 2
#define HOOK_FORWARD 3
#define HOOK_EGRESS 4
#define HOOK_INGRESS 5
#define HOOK_CONNECT 6

/* A datagram conversation that has been silent this long is over (RFC 4787
 * asks NATs for two minutes at least). */
#define DATAGRAM_IDLE_NS (120ULL * 1000000000)
/* The same refused packet again within this time is a retransmission. */
#define REFUSED_AGAIN_NS (60ULL * 1000000000)
#define TOUCH_NS 1000000000ULL

struct end {
	struct conn_key key;
	__u64 cgroup;          /* id of the process's socket's cgroup; 0: no such socket */
	__u64 cgroup_at;       /* the kernel's structure of that cgroup */
	bool outgoing;         /* the packet leaves this end */
	bool by_address;       /* no socket to ask: the address says whose end it is */
	bool nf;
	__u8 hook;
};

static __always_inline void end_key(struct conn_key *k, struct packet *p, bool outgoing, __u64 netns)
{
	__builtin_memset(k, 0, sizeof(*k));
	k->netns = netns;
	__builtin_memcpy(k->local, outgoing ? p->src : p->dst, 16);
	__builtin_memcpy(k->remote, outgoing ? p->dst : p->src, 16);
	k->lport = outgoing ? p->sport : p->dport;
	k->rport = outgoing ? p->dport : p->sport;
	k->proto = p->proto;
	k->family = p->family;
}

static __always_inline bool is_loopback(struct packet *p)
{
	if (p->family == FAMILY_V4)
		return p->src[0] == 127 && p->dst[0] == 127;
	const __u64 *s = (const __u64 *)p->src, *d = (const __u64 *)p->dst;
	return !s[0] && s[1] == bpf_cpu_to_be64(1) && !d[0] && d[1] == bpf_cpu_to_be64(1);
}

/* The host's own DHCP client (RFC 2131, RFC 8415); not a workload's. */
static __always_inline bool is_dhcp(struct end *e)
{
	struct conn_key *k = &e->key;
	return k->proto == PROTO_UDP &&
	       ((k->lport == 68 && k->rport == 67) || (k->lport == 546 && k->rport == 547));
}

/* Whether an instant is past; 0 never is. Few conversations have one, so the
 * clock is read for few packets. */
static __always_inline bool over(__u64 until)
{
	return until && bpf_ktime_get_boot_ns() >= until;
}

static __always_inline void set_builtin(struct conn *c, __u32 rule)
{
	c->rule = c->to_come_rule = rule;
	c->verdict = c->to_come = VERDICT_FORWARDED;
}

/* Fills in what the policy says of c->identity and the far end in direction
 * c->direction. Returns the reason of a refusal that no rule made, else 0. */
static __noinline int ask_policy(struct end *e, struct conn *c, struct address_value *local,
				      __u16 *class, __u32 slot)
{
	struct address_value *remote = lookup_address(e->key.remote, e->key.family, slot);
	__u16 port = c->direction == EGRESS ? e->key.rport : e->key.lport;
	*class = class_of(e->key.proto, port, slot);
	c->peer = remote ? remote->peer : UNKNOWN_PEER;
	c->verdict = c->to_come = VERDICT_DROPPED;
	c->rule = c->to_come_rule = RULE_NONE;
	c->until = 0;
	c->flags &= ~CONN_EXPIRED;
	if (c->peer == BUILTIN_PEER) {
		set_builtin(c, remote->rule);
		return 0;
	}
	__u32 host = host_identity(slot);
	if (c->direction == EGRESS && e->outgoing && local && c->identity != host) {
		bool other = (local->flags & ADDR_WORKLOAD) && !(local->flags & ADDR_SHARED) && local->peer != c->identity;
		if (other || ((local->flags & ADDR_NAMED) && !(local->flags & ADDR_OWN)))
			return REASON_SPOOFED;
	}
	/* To itself: a single owner's address on both sides. */
	if (!__builtin_memcmp(e->key.local, e->key.remote, 16) && local && !(local->flags & ADDR_SHARED) &&
	    (!(local->flags & ADDR_WORKLOAD) || local->peer == c->identity)) {
		set_builtin(c, RULE_LOOPBACK);
		return 0;
	}
	if (c->identity == host && is_dhcp(e)) {
		set_builtin(c, RULE_DHCP);
		return 0;
	}
	struct policy_value *v = decide(c->identity, c->peer, *class, c->direction, slot);
	if (!v)
		return REASON_NO_REVISION;
	bool to_come = v->allow_to_come && !over(v->to_come_until);
	c->rule = v->in_force_rule;
	c->to_come_rule = v->to_come_rule;
	c->to_come = to_come ? VERDICT_FORWARDED : VERDICT_DROPPED;
	if (!v->allow_in_force)
		return 0;
	if (over(v->in_force_until)) {
		c->flags |= CONN_EXPIRED;
		return REASON_EXPIRED;
	}
	c->verdict = to_come ? VERDICT_FORWARDED : VERDICT_AUDITED;
	c->until = v->in_force_until;
	if (to_come && v->to_come_until && (!c->until || v->to_come_until < c->until))
		c->until = v->to_come_until;
	return 0;
}

static __always_inline __u32 edge_for(struct conn *c, __u16 class, __u8 proto, __u8 reason)
{
	struct edge_key key = {
		.local = c->identity, .peer = c->peer, .rule = c->rule, .class = class,
		/* Nobody may use up the edges by going through the protocols. */
		.proto = class == CLASS_OTHER ? 0 : proto, .direction = c->direction, .verdict = c->verdict, .reason = reason,
	};
	return edge_of(&key);
}

/* A refusal that is not a retransmission of one is told; all are counted. */
static __noinline int refuse(struct packet *p, struct end *e, struct conn *c, __u16 class, __u8 reason)
{
	__u64 now = c->last;
	struct refusal *r = bpf_map_lookup_elem(&refusals, &e->key);
	count_stat(STAT_REASON + reason);
	if (r && r->revision == c->revision && r->isn == p->isn && now - r->last < REFUSED_AGAIN_NS) {
		r->last = now;
		count_edge(r->edge, now, p->len);
		return DROP;
	}
	c->edge = edge_for(c, class, e->key.proto, reason);
	struct refusal fresh = { .last = now, .revision = c->revision, .isn = p->isn, .edge = c->edge };
	bpf_map_update_elem(&refusals, &e->key, &fresh, BPF_ANY);
	count_edge(c->edge, now, p->len);
	tell(p, &e->key, c, reason, e->hook);
	return DROP;
}

/* Whose end it is, when the table does not say so for this revision. */
static __always_inline void identify(struct end *e, struct conn *known, struct address_value *local, __u32 slot,
				     struct conn *c)
{
	if (e->cgroup) {
		struct owner o = {};
		resolve_cgroup(e->cgroup_at, slot, &o);
		c->cgroup = e->cgroup;
		c->anchor = o.anchor;
		c->identity = o.identity;
		return;
	}
	if (known && known->cgroup) {
		c->cgroup = known->cgroup;
		c->anchor = known->anchor;
		c->identity = known->anchor ? anchor_identity(known->anchor, slot) : 0;
	} else if (e->by_address || known) {
		c->identity = local ? local->local : 0;
		if (local && (local->flags & ADDR_SHARED))
			c->flags |= CONN_TENTATIVE;
	}
	if (!c->identity)
		c->identity = host_identity(slot);
}

/* The stack is shared by a whole chain of calls, so the rare ways are calls. */

/* The long way: the first packet of a conversation at this end, or the first
 * under this revision, or from another socket than before. `known` is its
 * entry unless this packet begins a conversation anew. */
static __noinline int judge_slow(struct packet *p, struct end *e, struct conn *known, __u64 revision, __u64 now)
{
	__u32 slot = revision & 1;
	__u16 class = CLASS_ANY;
	struct conn c = { .last = now, .revision = (__u32)revision, .isn = known ? known->isn : p->isn };
	struct address_value *local = lookup_address(e->key.local, e->key.family, slot);

	c.flags = (known ? known->flags & CONN_COUNTED_BY_NF : 0) | (e->nf ? CONN_COUNTED_BY_NF : 0);
	identify(e, known, local, slot, &c);
	if (known && known->revision == c.revision && known->identity == c.identity &&
	    !(known->flags & CONN_TENTATIVE) && !over(known->until)) {
		/* The socket is the one that the address announced. */
		known->cgroup = c.cgroup;
		known->anchor = c.anchor;
		return known->verdict == VERDICT_DROPPED && !p->reset ? DROP : PASS;
	}
	c.direction = known ? known->direction : e->outgoing ? EGRESS : INGRESS;
	int reason = ask_policy(e, &c, local, &class, slot);
	if (!known && c.verdict == VERDICT_DROPPED && (!reason || reason == REASON_EXPIRED) && p->kind == KIND_LATER && p->proto == PROTO_TCP) {
		/* In midstream and not in the table: it may be the answer to a
		 * conversation that the other end opened. */
		c.direction = !c.direction;
		reason = ask_policy(e, &c, local, &class, slot);
		if (c.verdict == VERDICT_DROPPED) {
			c.direction = !c.direction;
			reason = ask_policy(e, &c, local, &class, slot);
		}
	}
	if (c.verdict == VERDICT_DROPPED && !known)
		return refuse(p, e, &c, class, reason);
	if (known && c.verdict == VERDICT_DROPPED && known->revision != c.revision && reason != REASON_EXPIRED)
		reason = REASON_ENDED;
	c.edge = edge_for(&c, class, e->key.proto, reason);
	bool same = known && known->verdict == c.verdict && known->rule == c.rule && known->to_come == c.to_come &&
		    !(known->flags & CONN_TENTATIVE);
	if (bpf_map_update_elem(&conns, &e->key, &c, BPF_ANY))
		count_stat(STAT_NO_CONN);
	if (e->nf || !(c.flags & CONN_COUNTED_BY_NF))
		count_edge(c.edge, now, p->len);
	if (!same && !(c.flags & CONN_TENTATIVE))
		tell(p, &e->key, &c, reason, e->hook);
	if (c.verdict != VERDICT_DROPPED)
		return PASS;
	count_stat(STAT_REASON + reason);
	return p->reset ? PASS : DROP;
}

/* An ICMP error passes if the conversation it is about is permitted at this
 * end; the tuple it quotes is that of the offending packet. */
static __noinline bool error_belongs(struct bpf_dynptr *d, __u32 l4, struct packet *p, __u64 netns, bool outgoing)
{
	struct packet in = {};
	struct conn_key key;
	__u32 inner_l4 = 0;
	__u32 at = l4 + 8, rest;
	__u8 hops;
	struct v4 hbuf, *h = bpf_dynptr_slice(d, at, &hbuf, sizeof(hbuf));
	if (!h)
		return false;
	int why = h->vihl >> 4 == 4 ? parse_v4(h, at, &inner_l4, &rest, &in)
				    : parse_v6(d, at, &inner_l4, &rest, &hops, &in);
	if (why)
		return false;
	/* An error goes to whoever sent what it quotes (RFC 1122, RFC 4443): anywhere
	 * else it would be a way out for whoever can forge one. */
	if (in.family != p->family || __builtin_memcmp(in.src, p->dst, 16))
		return false;
	struct icmp lbuf, *l = bpf_dynptr_slice(d, inner_l4, &lbuf, sizeof(lbuf));
	if (!l)
		return false;
	if (in.proto == PROTO_TCP || in.proto == PROTO_UDP || in.proto == PROTO_SCTP) {
		struct l4 *ports = (struct l4 *)l;
		in.sport = bpf_ntohs(ports->sport);
		in.dport = bpf_ntohs(ports->dport);
	} else if (in.proto == PROTO_ICMP || in.proto == PROTO_ICMPV6) {
		in.sport = in.dport = bpf_ntohs(l->id);
	}
	/* What comes in quotes what this end sent; what goes out, what it got. */
	end_key(&key, &in, !outgoing, netns);
	struct conn *c = bpf_map_lookup_elem(&conns, &key);
	return c && c->verdict != VERDICT_DROPPED;
}

/* Verified once for all hooks, which keeps loading fast: hence not static, and
 * hence the checks for NULL, which never is. */
__noinline int judge(struct packet *p, struct end *e)
{
	__u32 zero = 0;
	struct control *ctl = bpf_map_lookup_elem(&control, &zero);
	__u64 revision = ctl ? *(volatile __u64 *)&ctl->revision : 0;
	__u64 now = bpf_ktime_get_ns();

	if (!p || !e)
		return DROP;
	if (!revision) {
		count_stat(STAT_REASON + REASON_NO_REVISION);
		return DROP;
	}
	struct conn *c = bpf_map_lookup_elem(&conns, &e->key);
	if (!c)
		return judge_slow(p, e, NULL, revision, now);
	bool fresh = p->kind == KIND_OPENS &&
		     (c->direction != (e->outgoing ? EGRESS : INGRESS) || (p->proto == PROTO_TCP && c->isn != p->isn));
	if (p->proto != PROTO_TCP && now - c->last > DATAGRAM_IDLE_NS)
		fresh = true;
	if (fresh || c->revision != (__u32)revision || (e->cgroup && c->cgroup != e->cgroup) || over(c->until))
		return judge_slow(p, e, fresh ? NULL : c, revision, now);
	if (now - c->last > TOUCH_NS)
		c->last = now;
	if (e->nf && !(c->flags & CONN_COUNTED_BY_NF))
		c->flags |= CONN_COUNTED_BY_NF;
	if (e->nf || !(c->flags & CONN_COUNTED_BY_NF))
		count_edge(c->edge, now, p->len);
	if (c->verdict != VERDICT_DROPPED)
		return PASS;
	count_stat(STAT_REASON + (c->flags & CONN_EXPIRED ? REASON_EXPIRED : REASON_ENDED));
	return p->reset ? PASS : DROP;
}

/* The verifier knows nothing of what judge() returns, and the compiler, which
 * does, would leave out what tells it. */
static __always_inline int ask(struct packet *p, struct end *e)
{
	int verdict = judge(p, e);
	barrier_var(verdict);
	return verdict & 1;
}

/* What needs no policy: errors about conversations that are permitted at this
 * end, and the link's upkeep. On the way in the hop limit shows that upkeep is
 * the link's own; on the way out only the kernel makes it, never a process. */
static __always_inline bool exempt(struct bpf_dynptr *d, __u32 l4, struct packet *p, struct end *e)
{
	if (p->kind == KIND_LINK)
		return !e->outgoing || !e->cgroup;
	return p->kind == KIND_ERROR && error_belongs(d, l4, p, e->key.netns, e->outgoing);
}

#endif
