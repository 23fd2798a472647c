// Package target says what a kind of enforcement is: something that policy is
// rendered to, that can be read back, and that has its own powers and limits.
// Each has a room of its own below this one; they do not know each other, and
// target/all lists them.
package target

import (
	"net/netip"

	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/layer"
	"firebreak/internal/live"
	"firebreak/internal/plan"
	"firebreak/internal/policy"
)

// Target is a kind of enforcement. Its methods are pure functions of what they
// are given. Render and Lift of a target share no code, so that a renderer
// cannot certify itself.
type Target interface {
	// Name is the word for it in an Estate's targets and on the command line.
	Name() string
	Capability() Capability
	Quotas() []Quota

	// Render returns the files that make the target's enforcement points permit
	// what is wanted. Paths are POINT/…, relative to the target's own folder, and
	// come in order. Without anything to govern there are no files. If the list
	// has errors (a quota that would be overrun, say) there are none either: a
	// part of a policy is never rendered.
	Render(w *plan.Wanted) ([]File, diag.List)

	// Lift reads everything of this target's kind in a folder, whoever wrote it,
	// by the platform's own published semantics. What it does not understand makes
	// what it touches unknown. The layer is never nil; without anything of the
	// kind it has no points. Errors in the list are of files that cannot be read.
	Lift(s *Source) (*layer.Layer, diag.List)
}

// TimeKeeper is an extra power of targets whose points work out anew what holds
// as time goes by.
type TimeKeeper interface {
	// KeepsTime reports whether the target would govern a workload of an inventory,
	// so that the times of rules about it are kept.
	KeepsTime(w *inventory.Workload) bool
}

// Relayer is an extra power of targets that lead conversations between workloads
// which exchange no packets: others have to let pass what they lead.
type Relayer interface {
	// Relay returns who leads conversations under a policy: the one in force, or the
	// one to come.
	Relay(p *policy.Policy, toCome bool) plan.Relay
}

// File is a rendered file.
type File struct {
	Path string // with forward slashes
	Data []byte
}

// Source is what Lift reads.
type Source struct {
	Folder    *live.Folder
	Inventory *inventory.Snapshot // never nil
	Networks  []netip.Prefix      // the estate's own
	Estate    string              // its name, which marks what is ours

	// Alone is set where the folder is what was rendered, and nothing else. What a
	// live estate would have to show (that groups are attached, that something
	// enforces) is then taken for granted, as the files say it.
	Alone bool
}

// Capability says what a target can express. Everything is exact unless the
// target's Notes say otherwise.
type Capability struct {
	Peers    string // by what it knows peers: "labels", "addresses", "groups", "principals"
	Ports    bool   // ports and ranges of ports of TCP and UDP
	SCTP     bool
	ICMP     bool // ICMP apart from other protocols
	Other    bool // protocols without ports beside ICMP
	Deny     bool // has rules that deny, so that a deny need not be subtracted
	HTTP     bool
	MTLS     bool
	Time     bool
	Names    bool   // FQDNs
	Stateful bool   // replies of what is permitted pass by themselves
	Egress   bool   // decides at the initiator's end too
	Judge    string // whose code has judged our reading; empty: modelled
	Notes    []Note
}

// Note is a limit or a property of a platform, in a sentence, with the page that
// says so.
type Note struct {
	Text   string `json:"text"`
	Source string `json:"source"`
}
