package lattice

import (
	"firebreak/internal/diag"
	"firebreak/internal/inventory"
	"firebreak/internal/live/terraform"
)

// found is everything of the kind that a folder holds, wherever it was read.
type found struct {
	nets     []*network
	services []*service
	groups   []*group
	ours     int
	foreign  int
}

// handle is how other things name one. key is how it is known here: a Terraform
// address or an id.
type handle struct{ key, id, arn string }

// handles returns h itself.
func (h *handle) handles() *handle { return h }

// guarded is what may have an auth policy: a service or a service network.
type guarded struct {
	handle
	name   string
	pos    diag.Pos
	auth   string // "NONE", "AWS_IAM"; else see why
	why    string // why it is not known which
	policy *document
	// silent says why it is not known whether there is a policy; empty if it is.
	silent string
}

// network is a service network.
type network struct {
	guarded
	vpcs []string // that are associated with it
	// open says why it is not known which VPCs are associated; empty if it is.
	open string
}

// service is a Lattice service.
type service struct {
	guarded
	nets      []*network
	open      string // why it is not known which networks it is in
	listeners []listener
}

// listener is a port on which a service is called.
type listener struct {
	port        uint16 // 0: not known
	passthrough bool   // TLS is not ended here, so that nothing of requests is seen
	to          []forward
	why         string // why it is not known where it leads
}

// forward is where a listener sends what it lets in.
type forward struct {
	group *group
	part  bool // some requests only
}

// group is a target group.
type group struct {
	handle
	kind    string // "IP", "INSTANCE", "ALB", "LAMBDA"
	port    uint16
	vpc     string
	targets []endpoint
	open    string // why it is not known what the targets are
	pos     diag.Pos
}

// endpoint is a target: an address, or the id of an instance, and a port.
type endpoint struct {
	id   string
	port uint16
	why  string
	pos  diag.Pos
}

// way is a way to workloads: through a network, a service and the listeners
// that lead to one target group.
type way struct {
	terraform *terraform.Set
	networks  []inventory.Network
	network   *network // nil while the service's own policy is read
	service   *service
	listener  listener
}
