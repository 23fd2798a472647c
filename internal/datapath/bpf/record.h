/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is told about a conversation: edges with 10 ms bins, and events. */
#ifndef FIREBREAK_RECORD_H
#define FIREBREAK_RECORD_H

#include "maps.h"
#include "parse.h"

/* The counters of an edge; 0 where there is no room for another. */
static __noinline __u32 edge_of(struct edge_key *key)
{
	__u32 zero = 0, *id = bpf_map_lookup_elem(&edge_ids, key);
	if (id)
		return *id;
	__u32 *next = bpf_map_lookup_elem(&edge_next, &zero);
	if (!next || *next >= MAX_EDGES - 1) {
		count_stat(STAT_NO_EDGE);
		return 0;
	}
	__u32 fresh = __sync_fetch_and_add(next, 1) + 1;
	if (fresh >= MAX_EDGES)
		return 0;
	if (bpf_map_update_elem(&edge_ids, key, &fresh, BPF_NOEXIST)) {
		id = bpf_map_lookup_elem(&edge_ids, key);
		return id ? *id : 0;
	}
	return fresh;
}

static __always_inline void count_edge(__u32 id, __u64 now, __u32 len)
{
	__u32 zero = 0;
	struct control *ctl = bpf_map_lookup_elem(&control, &zero);
	if (!ctl)
		return;
	__u32 at = id * ctl->shards + (bpf_get_smp_processor_id() & (ctl->shards - 1));
	struct edge *e = bpf_map_lookup_elem(&edges, &at);
	if (!e)
		return;
	__u32 bin = (now / TICK_NS) % BINS;
	__sync_fetch_and_add(&e->packets[bin], 1);
	__sync_fetch_and_add(&e->bytes[bin], len);
}

/* Says what was decided about a conversation. `c` need not be in the table. */
static __noinline void tell(struct packet *p, struct conn_key *key, struct conn *c, __u8 reason, __u8 hook)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_stat(STAT_LOST);
		return;
	}
	bool egress = c->direction == EGRESS;
	e->time = bpf_ktime_get_ns();
	e->netns = key->netns;
	e->cgroup = c->cgroup;
	e->anchor = c->anchor;
	__builtin_memcpy(e->src, egress ? key->local : key->remote, 16);
	__builtin_memcpy(e->dst, egress ? key->remote : key->local, 16);
	e->revision = c->revision;
	e->local = c->identity;
	e->peer = c->peer;
	e->rule = c->rule;
	e->to_come_rule = c->to_come_rule;
	e->edge = c->edge;
	e->sport = egress ? key->lport : key->rport;
	e->dport = egress ? key->rport : key->lport;
	e->family = key->family;
	e->proto = key->proto;
	e->direction = c->direction;
	e->verdict = c->verdict;
	e->to_come = c->to_come;
	e->reason = reason;
	e->hook = hook;
	e->unused = 0;
	bpf_ringbuf_submit(e, 0);
}

#endif
