package nftables

import "firebreak/internal/target"

// Capability says what rules of nftables can express.
func (Target) Capability() target.Capability {
	const (
		chains = "https://wiki.nftables.org/wiki-nftables/index.php/Configuring_chains"
		manual = "https://www.netfilter.org/projects/nftables/manpage.html"
	)
	return target.Capability{
		Peers: "addresses", Ports: true, SCTP: true, ICMP: true, Other: true, Deny: true,
		Stateful: true, Egress: true, Judge: "nft and the running kernel",
		Notes: []target.Note{
			{Text: "An accept ends its own base chain only; base chains of other tables are still asked, and a drop is final.", Source: chains},
			{Text: "Requests and certificates are not seen: what is permitted under some of them is open on its ports.", Source: manual},
			{Text: "Times are left to others: what is permitted at some times only is closed unless another target of the estate keeps time.", Source: manual},
			{Text: "A workload is known by its addresses: one that comes to be, or moves, is not known before the next render.", Source: manual},
			{Text: "Conversations that stand when a permission is withdrawn go on: replies and later packets pass as established.", Source: manual},
		},
	}
}
