package ebpf

import (
	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/layer"
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

// Target is the kernel programs that the agent loads. The zero value is ready to
// use, and safe for concurrent use.
type Target struct{}

// Name returns "ebpf".
func (Target) Name() string { return "ebpf" }

// Render returns HOST/firebreak.maps.json for every host on which workloads run:
// the tables that the agent there loads, as they are at Wanted.At. The agent
// attributes processes to workloads by itself; addresses of workloads that no
// entry speaks of are left out.
func (Target) Render(w *plan.Wanted) ([]target.File, diag.List) { return renderHosts(w) }

// Lift reads every *.maps.json. The host is that of the file, or, if it names
// none, HOST in HOST.maps.json.
func (Target) Lift(s *target.Source) (*layer.Layer, diag.List) { return lift(s) }

// Capability says what the tables can express.
func (Target) Capability() target.Capability {
	const doc = "https://docs.kernel.org/bpf/"
	return target.Capability{
		Peers: "addresses", Ports: true, SCTP: true, ICMP: true, Other: true, Deny: true, Time: true,
		Stateful: true, Egress: true, Judge: "the running kernel",
		Notes: []target.Note{
			{Text: "Requests and certificates are not seen: what is permitted under some of them is open on its ports.", Source: doc + "prog_sk_lookup.html"},
			{Text: "What is permitted for a time ends in the kernel, to the instant; what opens later is loaded by the agent when it does.", Source: doc + "maps.html"},
			{Text: "A workload is known by its addresses, and on its own host also by its cgroup; one that comes to be is not known before the agent has loaded it.", Source: doc + "map_lpm_trie.html"},
		},
	}
}

// Quotas lists the sizes of the maps.
func (Target) Quotas() []target.Quota {
	const source = "https://docs.kernel.org/bpf/maps.html"
	return []target.Quota{
		{Name: "addresses and prefixes on a host", Limit: layout.MaxAddresses, Hard: true, Source: source},
		{Name: "attributed cgroups on a host", Limit: layout.MaxCgroups, Hard: true, Source: source},
		{Name: "decisions on a host", Limit: layout.MaxPolicy, Hard: true, Source: source},
		{Name: "ranges of ports on a host", Limit: layout.MaxClasses, Hard: true, Source: source},
	}
}
