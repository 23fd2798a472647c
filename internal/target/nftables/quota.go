package nftables

import "firebreak/internal/target"

// maxComment is how many bytes a rule's comment holds: NFTNL_UDATA_COMMENT_MAXLEN
// of libnftnl's include/libnftnl/udata.h, with the zero at its end.
const maxComment = 127

// maxName is how many bytes the name of a chain, a set or a map holds:
// NFT_NAME_MAXLEN of linux/netfilter/nf_tables.h, with the zero at its end.
const maxName = 255

// Quotas lists the kernel's limits. Sets hold as much as there is memory.
func (Target) Quotas() []target.Quota {
	const header = "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/include/uapi/linux/netfilter/nf_tables.h"
	return []target.Quota{
		{Name: "bytes in the name of a chain or a set", Limit: maxName, Hard: true, Source: header},
		{Name: "bytes in a comment", Limit: maxComment, Hard: true, Source: "https://git.netfilter.org/libnftnl/tree/include/libnftnl/udata.h"},
	}
}
