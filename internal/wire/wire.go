// Package wire holds the versioned messages between agent, server and page.
// Agent, server and page share nothing else. Messages travel as CBOR, one
// after another on a stream; the page gets the same values as JSON.
package wire

import (
	"time"

	"firebreak/internal/flow"
)

// Version is the wire version this build speaks. A reader refuses another.
const Version = 1

// Message is one unit on the stream. Exactly one of the pointers is set. A
// reader that finds none set has met a kind that it does not know yet, and
// goes on.
type Message struct {
	Version int      `json:"version"`
	Hello   *Hello   `json:"hello,omitempty"`
	Catalog *Catalog `json:"catalog,omitempty"`
	Flows   *Flows   `json:"flows,omitempty"`
	Bins    *Bins    `json:"bins,omitempty"`
	Status  *Status  `json:"status,omitempty"`
	Unsent  *Unsent  `json:"unsent,omitempty"`
	Refusal *Refusal `json:"refusal,omitempty"`
}

// Hello is the first message of an agent on every connection.
type Hello struct {
	Host   string `json:"host"`   // unique among the agents of one server
	Kernel string `json:"kernel"` // release
	Tier   string `json:"tier"`   // "full" or "reduced"
}

// Catalog describes the policy that an agent has in force: what the page needs
// to draw zones and to say why. It is sent after Hello and after every change.
type Catalog struct {
	Host     string        `json:"host"`
	Estate   string        `json:"estate"`
	Revision uint64        `json:"revision"`
	Zones    []ZoneInfo    `json:"zones"`
	Services []ServiceInfo `json:"services"`
	Rules    []RuleInfo    `json:"rules"`
}

// ZoneInfo is a zone as the page shows it.
type ZoneInfo struct {
	Name        string `json:"name"`
	Owner       string `json:"owner,omitempty"`
	Sensitivity string `json:"sensitivity,omitempty"`
	Stage       string `json:"stage"`   // observe, alert or enforce
	Default     string `json:"default"` // allow or deny
	File        string `json:"file"`
	Line        int    `json:"line"`
}

// ServiceInfo is a service and the workloads behind it. A workload that no
// service selects stands as a ServiceInfo of its own, with Loose set.
type ServiceInfo struct {
	Name      string   `json:"name"`
	Zone      string   `json:"zone"`
	Workloads []string `json:"workloads"`
	Ports     []string `json:"ports,omitempty"` // "postgres 5432/TCP"
	Loose     bool     `json:"loose,omitempty"`
}

// RuleInfo is a rule with its text, for the question why. Defaults and
// built-ins are rules here too.
type RuleInfo struct {
	flow.Rule
	Effect string `json:"effect"`
	Stage  string `json:"stage"`
	Tier   string `json:"tier"`
	From   string `json:"from"`    // as written, "service orders"
	To     string `json:"to"`      // as written
	Ports  string `json:"traffic"` // as contract.md writes TRAFFIC
	Reason string `json:"reason,omitempty"`
	Owner  string `json:"owner,omitempty"`
	Text   string `json:"text,omitempty"` // the rule's own lines of YAML
}

// Flows is a batch of conversations in the order in which the kernel saw them.
type Flows struct {
	Host  string      `json:"host"`
	Flows []flow.Flow `json:"flows"`
}

// BinWidth is the width of a traffic bin.
const BinWidth = 10 * time.Millisecond

// Bins are traffic counters per edge in 10 ms bins. Nothing is sampled.
type Bins struct {
	Host string `json:"host"`
	Bins []Bin  `json:"bins"`
}

// Bin is what one edge carried in one bin, as one end saw it. From and To are
// as in flow.Flow: the service if there is one, else the workload or peer
// name. Bins of the same edge, tick, verdict and direction add up.
type Bin struct {
	Tick      int64          `json:"tick"` // Unix time in units of BinWidth
	From      string         `json:"from"`
	To        string         `json:"to"`
	Direction flow.Direction `json:"direction"` // the end that counted, so that what both ends saw is counted once
	Verdict   flow.Verdict   `json:"verdict"`
	Packets   uint64         `json:"packets"`
	Bytes     uint64         `json:"bytes"`
}

// Status is an agent's state, sent every second and after every change.
type Status struct {
	Host      string        `json:"host"`
	Kernel    string        `json:"kernel"`
	Tier      string        `json:"tier"`
	Revision  uint64        `json:"revision"`
	Endpoints int           `json:"endpoints"`       // local workloads attached
	Entries   int           `json:"entries"`         // policy entries in the kernel
	Lost      uint64        `json:"lost"`            // events the ring buffer refused, since attach
	Lag       time.Duration `json:"lag"`             // kernel event → sent, p99 of the last second
	Error     string        `json:"error,omitempty"` // why the newest policy was refused; empty if it is in force
	// Unenforced is how many rules there demand what the host cannot see.
	Unenforced int       `json:"unenforced,omitempty"`
	Time       time.Time `json:"time"`
}

// Unsent says what a Writer had to drop because the server did not take it in
// time, since the Writer was made. The Writer itself sends it.
type Unsent struct {
	Host     string `json:"host"`
	Messages uint64 `json:"messages"`
	Flows    uint64 `json:"flows"` // conversations in those messages
	Bins     uint64 `json:"bins"`
}

// Refusal is the only message that goes from a server to an agent: why the
// connection is about to be closed.
type Refusal struct {
	Reason string `json:"reason"`
}
