/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who is at an end: sockets and addresses to identities; and what the policy
 * says of two identities. */
#ifndef FIREBREAK_RESOLVE_H
#define FIREBREAK_RESOLVE_H

#include "maps.h"
#include "parse.h"

/* Deeper cgroups count as their ancestor at this depth. */
#define MAX_CGROUP_DEPTH 64

struct owner {
	__u64 cgroup; /* 0: no process's socket */
	__u64 anchor;
	__u32 identity;
};

/* The cgroup that created a socket, or NULL where no process did: kernel
 * sockets have no file, and what stands in for a socket during a handshake or
 * in TIME_WAIT has no cgroup. */
static __always_inline struct cgroup *cgroup_of(struct sock *sk)
{
	if (!sk)
		return NULL;
	__u8 state = sk->__sk_common.skc_state;
	if (state == TCP_STATE_NEW_SYN_RECV || state == TCP_STATE_TIME_WAIT)
		return NULL;
	struct socket *so = sk->sk_socket;
	if (so && !so->file)
		return NULL;
	return sk->sk_cgrp_data.cgroup;
}

static __always_inline __u32 host_identity(__u32 slot)
{
	struct slot *s = bpf_map_lookup_elem(&slots, &slot);
	return s ? s->host_identity : 0;
}

static __always_inline __u32 anchor_identity(__u64 anchor, __u32 slot)
{
	struct cgroup_key key = { .id = anchor, .slot = slot };
	__u32 *identity = bpf_map_lookup_elem(&cgroups, &key);
	return identity ? *identity : 0;
}

/* The nearest configured cgroup at or above `cg`; the host's own zone where
 * there is none. */
static __noinline void resolve_cgroup(__u64 cgroup_at, __u32 slot, struct owner *o)
{
	struct cgroup *cg = (struct cgroup *)cgroup_at;
	__u32 level = BPF_CORE_READ(cg, level);
	for (__u32 i = 0; i < MAX_CGROUP_DEPTH; i++) {
		struct cgroup *at = NULL;
		__u32 l = level < MAX_CGROUP_DEPTH ? level - i : MAX_CGROUP_DEPTH - 1 - i;
		if (l >= MAX_CGROUP_DEPTH)
			break;
		bpf_core_read(&at, sizeof(at), &cg->ancestors[l]);
		if (!at)
			break;
		__u64 id = BPF_CORE_READ(at, kn, id);
		__u32 identity = anchor_identity(id, slot);
		if (identity) {
			o->anchor = id;
			o->identity = identity;
			return;
		}
	}
	o->anchor = 0;
	o->identity = host_identity(slot);
}

static __noinline struct address_value *lookup_address(const __u8 *addr, __u8 family, __u32 slot)
{
	struct address_key key = {
		.prefixlen = 32 + (family == FAMILY_V4 ? 32 : 128),
		.slot = slot,
		.family = family,
	};
	__builtin_memcpy(key.addr, addr, 16);
	return bpf_map_lookup_elem(&addresses, &key);
}

static __always_inline __u16 class_of(__u8 proto, __u16 port, __u32 slot)
{
	__u32 row;
	switch (proto) {
	case PROTO_TCP:
		row = 0;
		break;
	case PROTO_UDP:
		row = 1;
		break;
	case PROTO_SCTP:
		row = 2;
		break;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return CLASS_ICMP;
	default:
		return CLASS_OTHER;
	}
	row += slot * 3;
	struct ports *ports = bpf_map_lookup_elem(&classes, &row);
	return ports ? ports->class[port] : CLASS_ANY;
}

static __noinline struct policy_value *decide(__u32 local, __u32 peer, __u16 class, __u8 direction, __u32 slot)
{
	struct policy_key key = { local, peer, class, direction, slot };
	struct policy_value *v = bpf_map_lookup_elem(&policy, &key);
	if (v)
		return v;
	key.class = CLASS_ANY;
	v = bpf_map_lookup_elem(&policy, &key);
	if (v)
		return v;
	key.peer = ANY_PEER;
	key.class = class;
	v = bpf_map_lookup_elem(&policy, &key);
	if (v)
		return v;
	key.class = CLASS_ANY;
	return bpf_map_lookup_elem(&policy, &key);
}

#endif
