// Package gen makes estates to measure with: a policy directory and its
// inventory, as large as asked for, shaped like what companies have. A few
// services have thousands of replicas and most have a handful; several clouds,
// accounts, regions, networks and clusters; teams that own services and write
// rules about them. The same Options give the same bytes, on every machine.
package gen

import (
	"fmt"
	"math"
)

// The most that can be asked for. Workloads must find room in 10.0.0.0/8.
const (
	MaxWorkloads = 4_000_000
	MaxRules     = 1_000_000
)

// Options say how large an estate is to be. A field that is 0 takes a default
// (see Complete), but for Seed, where 0 is a seed like any other.
type Options struct {
	Workloads  int // exactly so many
	Identities int // exactly so many that its own rules tell apart
	Rules      int // exactly so many in its Policies; guardrails and exceptions come on top
	Seed       uint64
}

// The defaults keep the proportions of 100,000 workloads in 2,000 identities
// under 10,000 rules: identities grow with the square root of the workloads,
// because large estates have more replicas rather than more applications.
const (
	defaultWorkloads = 1000
	identitiesAt1    = 6.3246 // 2,000 at 100,000
	rulesPerIdentity = 5
)

// Complete returns o with defaults for what is 0: 1,000 workloads; 6.3 times
// the square root of the workloads in identities; five rules for each identity.
// It fails if an estate like that cannot be.
func (o Options) Complete() (Options, error) {
	for _, f := range []struct {
		what string
		n    int
	}{{"workloads", o.Workloads}, {"identities", o.Identities}, {"rules", o.Rules}} {
		if f.n < 0 {
			return o, fmt.Errorf("%d %s cannot be", f.n, f.what)
		}
	}
	if o.Workloads == 0 {
		o.Workloads = max(defaultWorkloads, o.Identities)
	}
	if o.Identities == 0 {
		o.Identities = min(o.Workloads, int(math.Round(identitiesAt1*math.Sqrt(float64(o.Workloads)))))
	}
	if o.Rules == 0 {
		o.Rules = min(MaxRules, rulesPerIdentity*o.Identities)
	}
	switch {
	case o.Workloads > MaxWorkloads:
		return o, fmt.Errorf("%d workloads are too many: at most %d find room in 10.0.0.0/8", o.Workloads, MaxWorkloads)
	case o.Identities > o.Workloads:
		return o, fmt.Errorf("%d identities cannot be told apart among %d workloads", o.Identities, o.Workloads)
	case o.Rules > MaxRules:
		return o, fmt.Errorf("%d rules are too many: at most %d", o.Rules, MaxRules)
	}
	return o, nil
}
