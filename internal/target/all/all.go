// Package all is the one list of all targets.
package all

import (
	"firebreak/internal/target"
	"firebreak/internal/target/awssg"
	"firebreak/internal/target/ebpf"
	"firebreak/internal/target/istio"
	"firebreak/internal/target/lattice"
	"firebreak/internal/target/nacl"
	"firebreak/internal/target/networkpolicy"
	"firebreak/internal/target/nftables"
)

// Targets lists every target there is, in the order in which a conversation
// meets them on its way, from the network inwards.
func Targets() []target.Target {
	return []target.Target{
		nacl.Target{},
		awssg.Target{},
		lattice.Target{},
		networkpolicy.Target{},
		istio.Target{},
		nftables.Target{},
		ebpf.Target{},
	}
}

// Named returns the target of that name; nil if there is none.
func Named(name string) target.Target {
	for _, t := range Targets() {
		if t.Name() == name {
			return t
		}
	}
	return nil
}
