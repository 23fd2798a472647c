/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Keys and values of the maps; internal/datapath/layout mirrors them. Change
 * both together and raise layout.Version. */
#ifndef FIREBREAK_LAYOUT_H
#define FIREBREAK_LAYOUT_H

#include "kernel.h"

#define ANY_PEER 0
#define UNKNOWN_PEER 1
#define BUILTIN_PEER 3

#define RULE_NONE 0
#define RULE_LOOPBACK 1
#define RULE_DHCP 5

#define CLASS_ANY 0
#define CLASS_ICMP 1
#define CLASS_OTHER 2

#define ADDR_WORKLOAD 1
#define ADDR_SHARED 2
#define ADDR_OWN 4
#define ADDR_NAMED 8

#define EGRESS 0
#define INGRESS 1

#define VERDICT_FORWARDED 1
#define VERDICT_AUDITED 2
#define VERDICT_DROPPED 3

#define REASON_POLICY 0
#define REASON_SPOOFED 1
#define REASON_MALFORMED 2
#define REASON_FRAGMENT 3
#define REASON_NO_REVISION 4
#define REASON_ENDED 5
#define REASON_EXPIRED 7 /* 6 is the guard's */
#define REASONS 8

#define MAX_ADDRESSES 131072
#define MAX_CGROUPS 4096
#define MAX_POLICY 262144
#define MAX_EDGES 8192
#define BINS 32
/* Namespaces of an agent that are known without a look-up; further ones have their
 * packets judged twice. */
#define HOOKED 8
#define TICK_NS 10000000ULL

struct control {
	__u64 revision; /* 0: none yet. Bit 0 selects the slot of every map. */
	__u64 shards;   /* of the counters of an edge; a power of two */
	__u64 hooked[HOOKED]; /* cookies of the namespaces where netfilter's hooks stand; 0: none */
};

struct slot {
	__u32 host_identity;
	__u32 unused;
};

struct address_key {
	__u32 prefixlen; /* 32 for the space below, then the address's bits */
	__u8 slot;
	__u8 family;
	__u16 unused;
	__u8 addr[16]; /* IPv4 in the first four */
};

struct address_value {
	__u32 peer;
	__u32 local;
	__u32 flags;
	__u32 rule;
};

struct cgroup_key {
	__u64 id;
	__u32 slot;
	__u32 unused;
};

struct ports {
	__u16 class[65536];
};

struct policy_key {
	__u32 local;
	__u32 peer;
	__u16 class;
	__u8 direction;
	__u8 slot;
};

/* What is allowed ends at an instant of CLOCK_BOOTTIME, in ns, which no setting
 * of the clock moves; 0: it does not end. */
struct policy_value {
	__u32 in_force_rule;
	__u32 to_come_rule;
	__u64 in_force_until;
	__u64 to_come_until;
	__u8 allow_in_force;
	__u8 allow_to_come;
	__u16 unused;
	__u32 unused2;
};

/* One end of a conversation. local is the end that is judged, whichever of
 * the two that is, so that both directions find the same entry. */
struct conn_key {
	__u64 netns;
	__u8 local[16];
	__u8 remote[16];
	__u16 lport; /* host byte order; ICMP: the echo identifier in both */
	__u16 rport;
	__u8 proto;
	__u8 family;
	__u16 unused;
};

#define CONN_COUNTED_BY_NF 1 /* netfilter hooks see it: cgroup hooks do not count */
#define CONN_TENTATIVE 2     /* the address has several owners; the socket decides */
#define CONN_EXPIRED 4       /* dropped because its time was over */

struct conn {
	__u64 last;   /* ns, CLOCK_MONOTONIC */
	__u64 cgroup; /* id of the socket's own cgroup; 0: no socket seen yet */
	__u64 anchor; /* id of the configured cgroup above it; 0: none */
	__u64 until;  /* ns, CLOCK_BOOTTIME: to be judged anew from then on; 0: never */
	__u32 revision;
	__u32 edge;
	__u32 identity;
	__u32 peer;
	__u32 rule;
	__u32 to_come_rule;
	__u32 isn; /* of the SYN that opened it; 0 if that was not seen */
	__u8 direction;
	__u8 verdict;
	__u8 to_come;
	__u8 flags;
};

struct refusal {
	__u64 last;
	__u32 revision;
	__u32 isn;
	__u32 edge;
	__u32 unused;
};

struct edge_key {
	__u32 local;
	__u32 peer;
	__u32 rule;
	__u16 class;
	__u8 proto;
	__u8 direction;
	__u8 verdict;
	__u8 reason;
	__u16 unused;
};

/* One shard of an edge's counters: processors that share a conversation would
 * otherwise take the cache line from each other at every packet. A ring of 10 ms bins that are never reset: a reader takes differences, so
 * that nothing can be lost to a race between resetting and adding. */
struct edge {
	__u64 packets[BINS];
	__u64 bytes[BINS];
};

struct event {
	__u64 time;
	__u64 netns;
	__u64 cgroup;
	__u64 anchor;
	__u8 src[16];
	__u8 dst[16];
	__u32 revision;
	__u32 local;
	__u32 peer;
	__u32 rule;
	__u32 to_come_rule;
	__u32 edge;
	__u16 sport;
	__u16 dport;
	__u8 family;
	__u8 proto;
	__u8 direction;
	__u8 verdict;
	__u8 to_come;
	__u8 reason;
	__u8 hook;
	__u8 unused;
};

#define STAT_LOST 0      /* events the ring buffer refused */
#define STAT_NO_EDGE 1   /* conversations beyond MAX_EDGES, uncounted per edge */
#define STAT_NO_CONN 2   /* conversations the table refused */
#define STAT_REASON 8    /* + reason: packets dropped */
#define STATS 16

#endif
