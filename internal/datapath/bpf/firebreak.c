// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The hooks. Each finds out who is at which end and hands over to judge(). */
#include "judge.h"

char _license[] SEC("license") = "Dual BSD/GPL";

#define NF_DROP 0
#define NF_ACCEPT 1

/* Unreadable packets are told with what could be read of them. */
static __noinline int unreadable(struct packet *p, __u64 netns, bool outgoing, int why, __u8 hook)
{
	__u32 zero = 0;
	struct control *ctl = bpf_map_lookup_elem(&control, &zero);
	__u64 revision = ctl ? ctl->revision : 0;
	struct conn c = {
		.last = bpf_ktime_get_ns(),
		.revision = (__u32)revision,
		.identity = host_identity(revision & 1),
		.direction = outgoing ? EGRESS : INGRESS,
		.verdict = VERDICT_DROPPED,
		.to_come = VERDICT_DROPPED,
	};
	struct end e = { .outgoing = outgoing, .hook = hook };
	end_key(&e.key, p, outgoing, netns);
	struct address_value *local = p->family ? lookup_address(e.key.local, p->family, revision & 1) : NULL;
	struct address_value *remote = p->family ? lookup_address(e.key.remote, p->family, revision & 1) : NULL;
	if (local && local->local)
		c.identity = local->local;
	c.peer = remote ? remote->peer : UNKNOWN_PEER;
	return refuse(p, &e, &c, CLASS_ANY, why);
}

static __always_inline void end_socket(struct end *e, struct sock *sk)
{
	struct cgroup *cg = cgroup_of(sk);
	if (!cg)
		return;
	e->cgroup = cg->kn->id;
	e->cgroup_at = (__u64)cg;
}

static __always_inline int filter_local(struct bpf_nf_ctx *ctx, bool outgoing)
{
	struct sk_buff *skb = ctx->skb;
	struct bpf_dynptr d;
	struct packet p = {};
	struct end e = { .outgoing = outgoing, .by_address = !outgoing, .nf = true };
	__u64 netns = ctx->state->net->net_cookie;
	__u32 l4 = 0;

	e.hook = outgoing ? HOOK_OUT : HOOK_IN;
	p.len = skb->len;
	if (bpf_dynptr_from_skb((struct __sk_buff *)skb, 0, &d))
		return NF_DROP;
	int why = parse(&d, &l4, &p);
	if (why)
		return unreadable(&p, netns, outgoing, why, e.hook) == PASS ? NF_ACCEPT : NF_DROP;
	if (is_loopback(&p))
		return NF_ACCEPT;
	end_key(&e.key, &p, outgoing, netns);
	if (outgoing)
		end_socket(&e, ctx->state->sk);
	if (exempt(&d, l4, &p, &e))
		return NF_ACCEPT;
	return ask(&p, &e) == PASS ? NF_ACCEPT : NF_DROP;
}

SEC("netfilter")
int firebreak_out(struct bpf_nf_ctx *ctx)
{
	return filter_local(ctx, true);
}

SEC("netfilter")
int firebreak_in(struct bpf_nf_ctx *ctx)
{
	return filter_local(ctx, false);
}

/* Whether this host answers for an address of a forwarded packet: its own
 * workloads', and those inside the estate that nobody owns (a workload that
 * the inventory does not know yet has the host's zone). */
static __always_inline bool answers_for(const __u8 *addr, __u8 family, __u32 slot)
{
	struct address_value *v = lookup_address(addr, family, slot);
	return !v || v->local || v->peer == UNKNOWN_PEER;
}

SEC("netfilter")
int firebreak_forward(struct bpf_nf_ctx *ctx)
{
	struct sk_buff *skb = ctx->skb;
	struct bpf_dynptr d;
	struct packet p = {};
	__u64 netns = ctx->state->net->net_cookie;
	__u32 l4 = 0, zero = 0;
	struct control *ctl = bpf_map_lookup_elem(&control, &zero);
	__u32 slot = ctl ? ctl->revision & 1 : 0;

	p.len = skb->len;
	if (bpf_dynptr_from_skb((struct __sk_buff *)skb, 0, &d))
		return NF_DROP;
	int why = parse(&d, &l4, &p);
	if (why)
		return unreadable(&p, netns, true, why, HOOK_FORWARD) == PASS ? NF_ACCEPT : NF_DROP;
	/* The link's upkeep is never forwarded: what looks like it is judged. */
	if (p.kind == KIND_ERROR && (error_belongs(&d, l4, &p, netns, false) || error_belongs(&d, l4, &p, netns, true)))
		return NF_ACCEPT;
	for (int i = 0; i < 2; i++) {
		bool outgoing = i == 0;
		if (!answers_for(outgoing ? p.src : p.dst, p.family, slot))
			continue;
		struct end e = { .outgoing = outgoing, .by_address = true, .nf = true, .hook = HOOK_FORWARD };
		end_key(&e.key, &p, outgoing, netns);
		if (ask(&p, &e) != PASS)
			return NF_DROP;
	}
	return NF_ACCEPT;
}

/* Where the netfilter hooks stand, this packet has been judged already. On the
 * way out by its very socket. On the way in by its address, which is not
 * enough for a socket that takes what comes (a listener, a datagram socket: any
 * process may have it); but a TCP socket in a conversation is the one whose
 * own packets were judged. Elsewhere (a namespace that a process made for
 * itself) these hooks are all there is. */
static __always_inline bool judged(struct sock *sk, __u64 netns, bool outgoing)
{
	__u32 zero = 0;
	struct control *ctl = bpf_map_lookup_elem(&control, &zero);
	bool hooked = false;
	if (!ctl)
		return false;
	for (int i = 0; i < HOOKED && !hooked; i++) {
		if (!ctl->hooked[i])
			return false;
		hooked = ctl->hooked[i] == netns;
	}
	if (!hooked)
		return false;
	__u8 state = sk->__sk_common.skc_state;
	return outgoing || (sk->sk_protocol == PROTO_TCP && state != TCP_STATE_LISTEN && state != TCP_STATE_NEW_SYN_RECV);
}

static __always_inline int filter_socket(struct __sk_buff *ctx, bool outgoing)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);
	struct sock *sk = skb->sk;
	struct bpf_dynptr d;
	struct packet p = {};
	struct end e = { .outgoing = outgoing };
	__u32 l4 = 0;

	if (!sk)
		return PASS; /* cannot be: these hooks run for sockets only */
	e.hook = outgoing ? HOOK_EGRESS : HOOK_INGRESS;
	p.len = ctx->len;
	__u64 netns = sk->__sk_common.skc_net.net->net_cookie;
	if (judged(sk, netns, outgoing))
		return PASS;
	if (bpf_dynptr_from_skb(ctx, 0, &d))
		return DROP;
	int why = parse(&d, &l4, &p);
	if (why)
		return unreadable(&p, netns, outgoing, why, e.hook);
	if (is_loopback(&p))
		return PASS;
	end_key(&e.key, &p, outgoing, netns);
	end_socket(&e, sk);
	if (exempt(&d, l4, &p, &e))
		return PASS;
	return ask(&p, &e);
}

SEC("cgroup_skb/egress")
int firebreak_egress(struct __sk_buff *ctx)
{
	return filter_socket(ctx, true);
}

SEC("cgroup_skb/ingress")
int firebreak_ingress(struct __sk_buff *ctx)
{
	return filter_socket(ctx, false);
}

/* connect() gets its EPERM at once instead of a timeout. Only TCP: a datagram
 * socket's connect() sends nothing and is often a mere question about routes;
 * its send() gets the EPERM. */
static __always_inline int refuse_connect(struct bpf_sock_addr *ctx, struct bpf_sock *bs, struct packet *p)
{
	__u32 zero = 0;
	struct control *ctl = bpf_map_lookup_elem(&control, &zero);
	__u64 revision = ctl ? ctl->revision : 0;
	__u32 slot = revision & 1;
	__u64 now = bpf_ktime_get_ns();
	struct conn c = { .last = now, .revision = (__u32)revision, .direction = EGRESS };
	struct end e = { .outgoing = true, .hook = HOOK_CONNECT };
	__u16 class = CLASS_ANY;

	if (!revision)
		return DROP;
	struct sock *sk = bpf_rdonly_cast(bs, bpf_core_type_id_kernel(struct sock));
	end_socket(&e, sk);
	end_key(&e.key, p, true, bpf_get_netns_cookie(ctx));
	identify(&e, NULL, NULL, slot, &c);
	/* The source may not be chosen yet: spoofing is judged on the packet. */
	int reason = ask_policy(&e, &c, NULL, &class, slot);
	if (c.verdict != VERDICT_DROPPED)
		return PASS;
	count_stat(STAT_REASON + reason);
	c.edge = edge_for(&c, class, e.key.proto, reason);
	count_edge(c.edge, now, 0);
	tell(p, &e.key, &c, reason, e.hook);
	return DROP;
}

SEC("cgroup/connect4")
int firebreak_connect4(struct bpf_sock_addr *ctx)
{
	struct packet p = { .family = FAMILY_V4, .proto = PROTO_TCP };
	struct bpf_sock *bs = ctx->sk;
	if (!bs || ctx->protocol != PROTO_TCP || (ctx->user_ip4 & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000))
		return PASS;
	__u32 dst = ctx->user_ip4, src = bs->src_ip4;
	__builtin_memcpy(p.dst, &dst, 4);
	__builtin_memcpy(p.src, &src, 4);
	p.dport = bpf_ntohs(ctx->user_port);
	p.sport = bs->src_port;
	return refuse_connect(ctx, bs, &p);
}

SEC("cgroup/connect6")
int firebreak_connect6(struct bpf_sock_addr *ctx)
{
	struct packet p = { .family = FAMILY_V6, .proto = PROTO_TCP };
	struct bpf_sock *bs = ctx->sk;
	if (!bs || ctx->protocol != PROTO_TCP)
		return PASS;
	__u32 dst[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };
	if (!dst[0] && !dst[1] && dst[2] == bpf_htonl(0xffff)) {
		/* An IPv4 conversation through an IPv6 socket. */
		if ((dst[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000))
			return PASS;
		p.family = FAMILY_V4;
		__builtin_memcpy(p.dst, &dst[3], 4);
	} else {
		if (!dst[0] && !dst[1] && !dst[2] && dst[3] == bpf_htonl(1))
			return PASS;
		__builtin_memcpy(p.dst, dst, 16);
		__u32 src[4] = { bs->src_ip6[0], bs->src_ip6[1], bs->src_ip6[2], bs->src_ip6[3] };
		__builtin_memcpy(p.src, src, 16);
	}
	p.sport = bs->src_port;
	p.dport = bpf_ntohs(ctx->user_port);
	return refuse_connect(ctx, bs, &p);
}
