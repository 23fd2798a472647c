// Package inventory holds the snapshot: which workloads exist, with which
// labels, addresses, ports and principal, and which frontends stand before
// them. A snapshot is immutable once joined; sources (inventory/file,
// inventory/kube …) produce the parts of which it is made.
package inventory

import (
	"cmp"
	"net/netip"
	"slices"

	"firebreak/internal/diag"
	"firebreak/internal/netset"
)

// Workload is a thing that talks. Name is unique in a snapshot: what the file
// format calls metadata.name, or "namespace/name[Kind]" from Kubernetes.
type Workload struct {
	Name      string
	Namespace string // empty outside Kubernetes and where the file gives none
	// Labels that selectors see, built-in ones (k8s/namespace …) included. Other
	// workloads may share the map.
	Labels map[string]string
	// Pod holds the labels of the workload's pods as its cluster has them, without
	// those that inventories add, mappings make and other sources know: what the
	// cluster's own selectors see. Nil for what was not read from a cluster. Other
	// workloads may share the map.
	Pod       map[string]string
	Addresses []netip.Addr // sorted; empty where the source does not know them
	Ports     []Port       // sorted by name, then number
	Principal string       // SPIFFE ID, IAM role, service account; empty if none
	Host      string       // the host it runs on; empty if unknown
	// Zone assigns the workload outright and bypasses selectors. Only the
	// agent sets it, for the host's own processes.
	Zone   string
	Source diag.Pos // where it was read
}

// Principals lists every name that the workload has been given as a principal,
// sorted, each once: Principal, the labels spiffe/id and aws/role, and its
// Kubernetes service account as "system:serviceaccount:NAMESPACE:NAME" (the
// namespace is the label k8s/namespace, or Namespace where there is none).
func (w *Workload) Principals() []string {
	var out []string
	account, namespace := w.Labels["k8s/serviceaccount"], cmp.Or(w.Labels["k8s/namespace"], w.Namespace)
	if account != "" && namespace != "" {
		account = "system:serviceaccount:" + namespace + ":" + account
	} else {
		account = ""
	}
	for _, name := range []string{w.Principal, w.Labels["spiffe/id"], w.Labels["aws/role"], account} {
		if name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Port is something a workload serves.
type Port struct {
	Name     string // may be empty
	Number   uint16
	Protocol netset.Protocol
}

// Frontend is a virtual address in front of workloads and how it rewrites the
// ends of a conversation.
type Frontend struct {
	Name      string
	Namespace string
	Addresses []netip.Addr
	Ports     []FrontendPort
	ToService string   // a policy Service's name, or empty
	Workloads []string // names of workloads, or empty
	Selector  map[string]string
	Rewrites  string // "source", "destination" or "both"
	// Labels are those of a Kubernetes Service itself; nil where the source does not
	// know them.
	Labels   map[string]string
	Headless bool // a Kubernetes Service without an address: its name leads to the pods' own
	Source   diag.Pos
}

// FrontendPort maps a port of the frontend to the port of the workloads.
type FrontendPort struct {
	Name       string
	Number     uint16
	TargetName string // a named port of the workload, or empty
	Target     uint16 // 0 where TargetName is set
	Protocol   netset.Protocol
	// Application is what is spoken there, as a Kubernetes Service says it
	// (appProtocol: "http", "kubernetes.io/h2c"); empty where it does not.
	Application string
}

// Network is a part of the estate's addresses that a cloud knows by a name: a
// VPC or a subnet. A workload says by its labels net/vpc and net/subnet in which
// it is.
type Network struct {
	Name   string // "vpc-0a1b2c3d", "subnet-0a1b2c3d"
	Within string // of a subnet, the name of its VPC; empty for a VPC
	CIDRs  []netip.Prefix
	// Peers are the names of the networks that it exchanges packets with directly:
	// by peering, or by a gateway that both are attached to. Sorted; of a VPC only.
	Peers []string
	// Complete says that Peers are all that there are: nothing else exchanges
	// packets with it directly. It is not set where a cloud was not asked about all,
	// or where Terraform declares the VPC, since somebody else may peer with it. Of a
	// VPC only; Routes.Apart says what follows from it.
	Complete bool
	Labels   map[string]string // cloud/provider, cloud/account, cloud/region …
	Source   diag.Pos
}

// Machine is a cloud's computer, or an interface that is attached to none, by
// what tells it from others: who else describes it need not know its name in the
// cloud. The workload of that name, if there is one, is the machine itself.
type Machine struct {
	Name   string         // "i-0a1b2c3d", "eni-0a1b2c3d"
	Host   string         // its private DNS name; empty if unknown
	Own    []netip.Addr   // the primary addresses of its interfaces
	Lent   []netip.Prefix // further addresses, which containers on it may have for their own
	Labels map[string]string
	Role   string // of the machine; empty if none or unknown
	Source diag.Pos
}

// Node is a computer of a Kubernetes cluster, as the cluster describes it.
type Node struct {
	Name     string
	Instance string // the machine that it is; empty if unknown
	Source   diag.Pos
}

// Identity says which role of the cloud the pods of a service account have.
// Cluster is empty where the source does not know it, or knows one only.
type Identity struct {
	Cluster, Namespace, ServiceAccount, Role string

	Source diag.Pos
}

// Snapshot is an immutable inventory. Workloads, Frontends and Networks are
// sorted by name. The zero value is an empty inventory.
type Snapshot struct {
	Workloads []Workload
	Frontends []Frontend
	Networks  []Network
	// What Join needs to know of things that several sources describe.
	Machines   []Machine
	Nodes      []Node
	Identities []Identity
}
