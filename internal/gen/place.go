package gen

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// maxBuckets bounds the accounts, and so the networks, of an estate.
const maxBuckets = 40

// place is one network: an account's, in one region.
type place struct {
	provider string
	env      int
	region   string
	account  string
	vpc      string
	cluster  string
	number   int
	base     uint32 // its first address, as an offset into 10.0.0.0/8
	size     int    // workloads in it
	first    int    // its first group
	groups   int
	dual     bool // its clusters have IPv6 too
}

// providerOf is the cloud in which the applications of a bucket run.
func (e *estate) providerOf(bucket int) *provider {
	n := int(hash(e.Seed, 1000+bucket) >> 33 % 100)
	for i := range providers {
		if n -= providers[i].weight; n < 0 {
			return &providers[i]
		}
	}
	return &providers[0]
}

// block is what a network's size is rounded up to.
const block = 4096

// settle gives every group its place, and every place its addresses.
func (e *estate) settle() {
	type key struct {
		bucket, env int
		region      string
	}
	of := func(g group) key {
		s := e.services[g.service]
		return key{e.apps[s.app].bucket, s.env, g.region}
	}
	slices.SortStableFunc(e.groups, func(a, b group) int {
		x, y := of(a), of(b)
		return cmp.Or(cmp.Compare(x.bucket, y.bucket), cmp.Compare(x.env, y.env), cmp.Compare(x.region, y.region))
	})
	base := uint32(0)
	for i := range e.groups {
		g := &e.groups[i]
		if i == 0 || of(e.groups[i-1]) != of(*g) {
			base = e.endPlace(base)
			k := of(*g)
			e.places = append(e.places, e.newPlace(len(e.places), k.bucket, k.env, k.region))
			e.places[len(e.places)-1].first = i
		}
		p := &e.places[len(e.places)-1]
		g.place, g.from = len(e.places)-1, p.size
		p.size += g.size
		p.groups++
	}
	e.endPlace(base)
}

// endPlace puts the last place at base and returns where the next one begins.
func (e *estate) endPlace(base uint32) uint32 {
	if len(e.places) == 0 {
		return base
	}
	p := &e.places[len(e.places)-1]
	p.base = base
	used := offset(p.size) + 1
	return base + (used+block-1)/block*block
}

// offset is where the n-th workload of a network stands in it: no address ends
// in 0 or 255, and the first ten of each 256 are the platform's.
func offset(n int) uint32 { return uint32(n/245*256 + 10 + n%245) }

func (e *estate) newPlace(number, bucket, env int, region string) place {
	p := place{provider: e.providerOf(bucket).name, env: env, region: region, number: number}
	id := hash(e.Seed, 2000+bucket*len(envs)+env)
	switch p.provider {
	case "aws":
		p.account = fmt.Sprintf("%012d", id%1_000_000_000_000)
	case "azure":
		p.account = fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(id), uint16(id>>32), id>>48&0xfff, id>>36&0xfff, id>>16)
	default:
		p.account = fmt.Sprintf("corp-%s-%02d", envs[env], bucket)
	}
	p.vpc = fmt.Sprintf("vpc-%08x", uint32(hash(e.Seed, 100_000+number)))
	p.cluster = fmt.Sprintf("%s-%s-%s-%02d", p.provider, envs[env], region, bucket)
	p.dual = hash(e.Seed, 200_000+number)%3 == 0
	return p
}

// address is that of the n-th workload of a place.
func (p *place) address(n int) netip.Addr {
	v := 10<<24 | p.base + offset(n)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// address6 is the same in IPv6: fd00:0:0:PLACE::N.
func (p *place) address6(n int) netip.Addr {
	a := [16]byte{0: 0xfd, 6: byte(p.number >> 8), 7: byte(p.number), 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
	return netip.AddrFrom16(a)
}
