package lattice

import (
	"fmt"
	"maps"
	"slices"

	"firebreak/internal/layer"
	"firebreak/internal/netset"
)

// grounds says of each VPC of the inventory where it is: a Region, or another
// cloud. A VPC of which that is not known is left out.
func (r *reader) grounds() map[string]string {
	out := map[string]string{}
	note := func(vpc string, labels map[string]string) {
		if out[vpc] != "" || vpc == "" {
			return
		}
		switch cloud := labels["cloud/provider"]; cloud {
		case "", "aws":
			if region := labels["cloud/region"]; region != "" {
				out[vpc] = region
			}
		default:
			out[vpc] = "the cloud " + cloud
		}
	}
	for i := range r.inventory.Networks {
		if n := &r.inventory.Networks[i]; n.Within == "" {
			note(n.Name, n.Labels)
		}
	}
	for i := range r.inventory.Workloads {
		w := &r.inventory.Workloads[i]
		note(w.Labels["net/vpc"], w.Labels)
	}
	return out
}

// abroad is what no service network can let pass: what goes from one Region to
// another.
// github.com/aws/aws-application-networking-k8s/blob/main/docs/guides/ram-sharing.md
func (r *reader) abroad() []layer.Shut {
	at := map[string][]string{}
	for vpc, ground := range r.where {
		at[ground] = append(at[ground], vpc)
	}
	var out []layer.Shut
	for _, here := range slices.Sorted(maps.Keys(at)) {
		var others []string
		for there, vpcs := range at {
			if there != here {
				others = append(others, vpcs...)
			}
		}
		if len(others) == 0 {
			continue
		}
		slices.Sort(others)
		slices.Sort(at[here])
		out = append(out, layer.Shut{
			Subject: inVPC(at[here]...), Peer: inVPC(others...), Traffic: netset.Of(netset.TCP, 0, 65535),
			Why: "joins VPCs of one Region only, and these are of two",
		})
	}
	return out
}

// refused says why AWS would not take the associations of a service's networks:
// they join VPCs of a Region that is not the targets'. It is empty if it would.
func (r *reader) refused(l *landing) string {
	here := r.where[l.vpc]
	if here == "" {
		return ""
	}
	for _, n := range l.service.nets {
		for _, vpc := range n.vpcs {
			if there := r.where[vpc]; there != "" && there != here {
				return fmt.Sprintf("AWS takes no such associations: the VPC %s is in %s, and the targets of %s are in %s", vpc, there, l.service.name, here)
			}
		}
	}
	return ""
}
