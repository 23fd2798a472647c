/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From the bytes of a packet to what the policy speaks of. Everything that
 * cannot be read to its end is refused, never guessed. */
#ifndef FIREBREAK_PARSE_H
#define FIREBREAK_PARSE_H

#include "layout.h"

#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* What a packet is, beyond its addresses. */
enum kind {
	KIND_PLAIN,
	KIND_OPENS,    /* first of a conversation: SYN, echo request */
	KIND_LATER,    /* cannot be the first: other TCP, echo reply */
	KIND_ERROR,    /* ICMP error about the packet in `inner` */
	KIND_LINK,     /* neighbour discovery, multicast membership: link-local upkeep */
};

struct packet {
	__u8 src[16];
	__u8 dst[16];
	__u16 sport;
	__u16 dport;
	__u32 isn;
	__u32 len;
	__u8 family;
	__u8 proto;
	__u8 kind;
	__u8 reset; /* TCP RST without payload */
};

struct v4 {
	__u8 vihl, tos;
	__be16 len, id, frag;
	__u8 ttl, proto;
	__be16 csum;
	__u8 src[4], dst[4];
};

struct v6 {
	__u8 vtc[4];
	__be16 len;
	__u8 next, hops;
	__u8 src[16], dst[16];
};

struct l4 {
	__be16 sport, dport;
	__be32 seq;
};

struct tcp {
	__be16 sport, dport;
	__be32 seq, ack;
	__u8 off, flags;
	__be16 win;
};

struct icmp {
	__u8 type, code;
	__be16 csum, id, seq;
};

/* The transport header at `off`; `rest` is the number of bytes from there.
 * Returns 0 or the reason for refusing. */
static __always_inline int parse_l4(struct bpf_dynptr *d, __u32 off, __u32 rest, struct packet *p)
{
	if (p->proto == PROTO_TCP) {
		struct tcp buf, *t = bpf_dynptr_slice(d, off, &buf, sizeof(buf));
		if (!t)
			return REASON_MALFORMED;
		p->sport = bpf_ntohs(t->sport);
		p->dport = bpf_ntohs(t->dport);
		if ((t->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
			p->kind = KIND_OPENS;
			p->isn = bpf_ntohl(t->seq);
		} else {
			p->kind = KIND_LATER;
			p->reset = (t->flags & TCP_RST) && rest == (__u32)(t->off >> 4) * 4;
		}
		return 0;
	}
	if (p->proto == PROTO_UDP || p->proto == PROTO_SCTP) {
		struct l4 buf, *u = bpf_dynptr_slice(d, off, &buf, sizeof(buf));
		if (!u)
			return REASON_MALFORMED;
		p->sport = bpf_ntohs(u->sport);
		p->dport = bpf_ntohs(u->dport);
		return 0;
	}
	if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6) {
		struct icmp buf, *i = bpf_dynptr_slice(d, off, &buf, sizeof(buf));
		if (!i)
			return REASON_MALFORMED;
		bool v6 = p->proto == PROTO_ICMPV6;
		if (i->type == (v6 ? 128 : 8) || i->type == (v6 ? 129 : 0)) {
			p->kind = i->type == (v6 ? 128 : 8) ? KIND_OPENS : KIND_LATER;
			p->sport = p->dport = bpf_ntohs(i->id);
		} else if (v6 ? i->type < 5 : (i->type == 3 || i->type == 11 || i->type == 12)) {
			p->kind = KIND_ERROR;
		}
		return 0;
	}
	return 0;
}

static __always_inline int parse_v4(struct v4 *h, __u32 at, __u32 *l4, __u32 *rest, struct packet *p)
{
	if (!h || h->vihl >> 4 != 4 || (h->vihl & 15) < 5)
		return REASON_MALFORMED;
	__builtin_memcpy(p->src, h->src, 4);
	__builtin_memcpy(p->dst, h->dst, 4);
	p->family = FAMILY_V4;
	p->proto = h->proto;
	*l4 = at + (h->vihl & 15) * 4;
	*rest = bpf_ntohs(h->len) - (h->vihl & 15) * 4;
	/* More fragments, or an offset: defragmentation has not put it together. */
	if (h->frag & bpf_htons(0x3fff))
		return REASON_FRAGMENT;
	/* Options: a source route says that the packet is for somebody else than
	 * its destination, and nothing of today needs one but multicast
	 * membership's router alert (RFC 7126 advises the same). */
	return (h->vihl & 15) > 5 && h->proto != PROTO_IGMP ? REASON_MALFORMED : 0;
}

struct ext {
	__u8 next, len, type, code;
	__u8 rest[4];
};

#define MAX_EXTENSIONS 8

static __always_inline int parse_v6(struct bpf_dynptr *d, __u32 at, __u32 *l4, __u32 *rest, __u8 *hops, struct packet *p)
{
	struct v6 buf, *h = bpf_dynptr_slice(d, at, &buf, sizeof(buf));
	if (!h || h->vtc[0] >> 4 != 6)
		return REASON_MALFORMED;
	__builtin_memcpy(p->src, h->src, 16);
	__builtin_memcpy(p->dst, h->dst, 16);
	p->family = FAMILY_V6;
	*hops = h->hops;
	__u32 off = at + sizeof(*h), end = off + bpf_ntohs(h->len);
	__u8 next = h->next;
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		if (next != 0 && next != 43 && next != 60 && next != 51 && next != 44) {
			p->proto = next;
			*l4 = off;
			*rest = end - off;
			return 0;
		}
		struct ext ebuf, *e = bpf_dynptr_slice(d, off, &ebuf, sizeof(ebuf));
		if (!e || (next == 43 && e->code)) /* a routing header with segments left */
			return REASON_MALFORMED;
		if (next == 44) {
			/* An atomic fragment (offset 0, no more) is a whole packet. */
			if (((__u16)e->type << 8 | e->code) & 0xfff9)
				return REASON_FRAGMENT;
			off += 8;
		} else if (next == 51) {
			off += (e->len + 2) * 4;
		} else {
			off += (e->len + 1) * 8;
		}
		next = e->next;
	}
	return REASON_MALFORMED;
}

/* Link-local upkeep never leaves the link: the hop limit proves it for
 * neighbour discovery (RFC 4861 section 6.1), the scope for the rest. */
static __always_inline bool is_link(struct bpf_dynptr *d, __u32 l4, __u8 hops, struct packet *p)
{
	if (p->family == FAMILY_V4)
		return p->proto == PROTO_IGMP && p->dst[0] >> 4 == 0xe;
	if (p->proto != PROTO_ICMPV6)
		return false;
	struct icmp buf, *i = bpf_dynptr_slice(d, l4, &buf, sizeof(buf));
	if (!i)
		return false;
	if (i->type >= 133 && i->type <= 137)
		return hops == 255;
	return ((i->type >= 130 && i->type <= 132) || i->type == 143) && hops == 1 && p->dst[0] == 0xff;
}

/* Reads the packet from its first header on. Returns 0 or the reason for refusing; the
 * addresses are set wherever they could be read. */
static __noinline int parse(struct bpf_dynptr *d, __u32 *l4, struct packet *p)
{
	__u8 hops = 0;
	__u32 rest = 0;
	struct v4 buf, *h = bpf_dynptr_slice(d, 0, &buf, sizeof(buf));
	if (!h)
		return REASON_MALFORMED;
	int why = h->vihl >> 4 == 4 ? parse_v4(h, 0, l4, &rest, p) : parse_v6(d, 0, l4, &rest, &hops, p);
	if (why)
		return why;
	why = parse_l4(d, *l4, rest, p);
	if (!why && is_link(d, *l4, hops, p))
		p->kind = KIND_LINK;
	return why;
}

#endif
