package awssg

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/netset"
	"firebreak/internal/plan"
	"firebreak/internal/verify"
)

// cell is what one group stands for: workloads of one VPC that are treated
// alike, at their own end and at every other.
type cell struct {
	name      string // of the group; unique in its VPC
	vpc       string // empty: in no VPC that is known
	network   string // the same, or another cloud's network
	subject   *plan.Subject
	identity  int   // one of its identities
	workloads []int // indices into the inventory
	addressed bool  // the addresses of all of them are known
}

// elements are all that rules can be about: cells first, then kinds of address.
type elements struct {
	cells []cell
	peers []verify.Peer // by element less len(cells): those that are addresses or names
	at    []int         // by verify.Peer: the element of an address or a name; -1
	trees [2]*node      // whose the addresses of IPv4 and IPv6 are
}

func (r *renderer) divide() {
	w := r.w
	p := w.Policy
	alike := r.alike()
	of := map[string]int{}
	for i := range p.Inventory.Workloads {
		id := p.IdentityOf[i]
		vpc, net := vpcOf(&p.Inventory.Workloads[i]), p.Inventory.Workloads[i].Labels["net/vpc"]
		key := vpc + "\x00" + net + "\x00" + alike[id]
		n, known := of[key]
		if !known {
			n = len(r.cells)
			of[key] = n
			r.cells = append(r.cells, cell{vpc: vpc, network: net, subject: w.SubjectOf(id), identity: id, addressed: true})
		}
		if len(p.Inventory.Workloads[i].Addresses) == 0 {
			r.cells[n].addressed = false
		}
		r.cells[n].workloads = append(r.cells[n].workloads, i)
	}
	r.nameCells(alike)
	r.at = make([]int, w.Engine.Peers())
	for x := range r.at {
		r.at[x] = -1
		if peer := verify.Peer(x); w.Engine.Exists(peer) && w.Engine.Identity(peer) < 0 {
			r.at[x] = len(r.cells) + len(r.peers)
			r.peers = append(r.peers, peer)
		}
	}
	r.trees = trees(r.entries(), len(r.cells)+len(r.peers))
}

// vpcOf is the VPC that a workload is in; empty if that is not known, or it runs
// in another cloud.
func vpcOf(w *inventory.Workload) string {
	if p := w.Labels["cloud/provider"]; p != "" && p != "aws" {
		return ""
	}
	return w.Labels["net/vpc"]
}

// alike gives identities the same text if their subject is the same and no other
// subject tells them apart.
func (r *renderer) alike() []string {
	keys := make([][]byte, len(r.w.Policy.Identities))
	for i := range r.w.Subjects {
		s := &r.w.Subjects[i]
		for _, id := range s.Identities {
			keys[id] = binary.AppendUvarint(keys[id], uint64(i))
		}
	}
	for i := range r.w.Subjects {
		for d, grants := range [][]plan.Grant{r.w.Subjects[i].Ingress, r.w.Subjects[i].Egress} {
			for n := range grants {
				for _, x := range grants[n].Peers {
					if id := r.w.Engine.Identity(x); id >= 0 {
						keys[id] = binary.AppendUvarint(keys[id], uint64(2*i+d))
						keys[id] = binary.AppendUvarint(keys[id], uint64(n))
					}
				}
			}
		}
	}
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = string(k)
	}
	return out
}

// nameCells names each after its subject. Where others tell the identities of a
// subject apart, the names say by a digest of what the identities are which of
// them it is, so that a name does not change with others.
func (r *renderer) nameCells(alike []string) {
	p := r.w.Policy
	classes := map[*plan.Subject]map[string][]string{} // to the keys of the identities
	for id := range p.Identities {
		s := r.w.SubjectOf(id)
		if classes[s] == nil {
			classes[s] = map[string][]string{}
		}
		classes[s][alike[id]] = append(classes[s][alike[id]], p.Identities[id].Key)
	}
	used := map[string]bool{}
	for i := range r.cells {
		c := &r.cells[i]
		c.name = identifier(c.subject.Name)
		keys := classes[c.subject][alike[c.identity]]
		if len(classes[c.subject]) > 1 || c.name != c.subject.Name || used[c.vpc+"/"+c.name] {
			slices.Sort(keys)
			c.name += "-" + digest(c.subject.Name+"\x00"+strings.Join(keys, "\x00"))
		}
		used[c.vpc+"/"+c.name] = true
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// identifier makes a text one that Terraform takes as a name.
func identifier(text string) string {
	var b strings.Builder
	for _, c := range text {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '-', c >= '0' && c <= '9':
			b.WriteRune(c)
		default:
			b.WriteByte('-')
		}
	}
	if s := b.String(); s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z') {
		return s
	}
	return "x-" + b.String()
}

// entry says of whom the addresses are that match a prefix longest.
type entry struct {
	prefix   netip.Prefix
	elements []int // none: built in; several where workloads share an address
}

func (r *renderer) entries() []entry {
	p := r.w.Policy
	at := map[netip.Prefix]int{}
	var out []entry
	for _, x := range p.Prefixes() {
		e := entry{prefix: x.Prefix}
		if x.Builtin == "" {
			if n := r.ofAddress(x.Unknown, x.Externals); n >= 0 {
				e.elements = []int{n}
			}
		}
		at[x.Prefix] = len(out)
		out = append(out, e)
	}
	owned := map[netip.Prefix]bool{}
	for c := range r.cells {
		for _, i := range r.cells[c].workloads {
			for _, a := range p.Inventory.Workloads[i].Addresses {
				host := netip.PrefixFrom(a, a.BitLen())
				n, known := at[host]
				if !known {
					n = len(out)
					at[host] = n
					out = append(out, entry{prefix: host})
				}
				if !owned[host] {
					out[n].elements = nil // what a workload owns is nothing else
				}
				owned[host] = true
				if !slices.Contains(out[n].elements, c) {
					out[n].elements = append(out[n].elements, c)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return comparePrefixes(a.prefix, b.prefix) })
	return out
}

// comparePrefixes puts prefixes in the order of their first addresses, the
// widest first.
func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}

// ofAddress finds the element of addresses that are unknown, or in these
// Externals and no other.
func (r *renderer) ofAddress(unknown bool, externals []int) int {
	for i, x := range r.peers {
		if !r.w.Engine.ByName(x) && r.w.Engine.Unknown(x) == unknown && slices.Equal(r.w.Engine.Externals(x), externals) {
			return len(r.cells) + i
		}
	}
	return -1
}

// permits is what a cell's own end permits in a direction, as security groups can
// say it.
type permits struct {
	sets []netset.Traffic // the first one is nothing
	of   []int            // by element: which of them
}

func (r *renderer) permits(c *cell, d flow.Direction) permits {
	out := permits{sets: []netset.Traffic{netset.None()}, of: make([]int, len(r.cells)+len(r.peers))}
	byIdentity := map[int]int{}
	for _, g := range c.subject.Grants(d) {
		t := sayable(g.Open)
		if !t.Equal(g.Open) {
			r.widened(c, d, &g, t)
		}
		out.sets = append(out.sets, t)
		for _, x := range g.Peers {
			if id := r.w.Engine.Identity(x); id >= 0 {
				byIdentity[id] = len(out.sets) - 1
			} else if n := r.at[x]; n >= 0 {
				out.of[n] = len(out.sets) - 1
			}
		}
	}
	for i := range r.cells {
		out.of[i] = byIdentity[r.cells[i].identity]
	}
	return out
}

// sayable is the least traffic that groups can say and that holds t: SCTP has
// no ports for them, and the protocols that have no name of their own cannot be
// listed one by one.
func sayable(t netset.Traffic) netset.Traffic {
	if t.Contains(netset.Other, 0) {
		return netset.All()
	}
	if len(t.Ranges(netset.SCTP)) > 0 {
		return t.Union(netset.Of(netset.SCTP, 0, 65535))
	}
	return t
}
