package gen

import (
	"cmp"
	"fmt"
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
	bits     int    // of its CIDR
	subnets  [numSubnets]subnet
	size     int // workloads in it
	first    int // its first group
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
	for i := range e.groups {
		g := &e.groups[i]
		if i == 0 || of(e.groups[i-1]) != of(*g) {
			k := of(*g)
			e.places = append(e.places, e.newPlace(len(e.places), k.bucket, k.env, k.region))
			e.places[len(e.places)-1].first = i
		}
		p := &e.places[len(e.places)-1]
		g.place, g.from = len(e.places)-1, p.size
		p.size += g.size
		p.groups++
		class := e.apps[e.services[g.service].app].class
		for z := range zones {
			s := &p.subnets[class*zones+z]
			g.at[z] = s.size
			s.size += (g.size + zones - 1 - z) / zones
		}
	}
	base := uint32(0)
	for i := range e.places {
		base = e.places[i].lay(base)
	}
}

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
	p.vpc = fmt.Sprintf("%s-%08x", networkWords[p.provider], uint32(hash(e.Seed, 100_000+number)))
	p.cluster = fmt.Sprintf("%s-%s-%s-%02d", p.provider, envs[env], region, bucket)
	p.dual = hash(e.Seed, 200_000+number)%3 == 0
	return p
}
