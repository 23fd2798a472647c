package awssg

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"firebreak/internal/live/terraform"
)

// groupArguments are those by which resources of every kind are put into groups.
var groupArguments = []string{"vpc_security_group_ids", "security_groups", "security_group_ids", "security_group_id"}

// noHolders are the resources whose such arguments mean something else, or whose
// groups later instances get and they themselves have not.
var noHolders = []string{
	"aws_security_group", "aws_default_security_group", "aws_security_group_rule", "aws_vpc_security_group_ingress_rule",
	"aws_vpc_security_group_egress_rule", "aws_network_interface_sg_attachment",
}

// terraformOutputs reads who is meant to be in which groups.
func (l *lifter) terraformOutputs(set *terraform.Set) {
	if set == nil {
		return
	}
	t := &tf{lifter: l, set: set}
	for name, v := range set.Outputs {
		if !strings.HasSuffix(name, "firebreak_security_groups") {
			continue
		}
		for workload, list := range t.set.Known(v).Fields {
			for _, x := range t.set.Known(list).Items() {
				// Which group that is can be said when all groups were read.
				ref := x.Ref
				if x.Kind != terraform.Reference {
					ref = t.text(x)
				}
				l.meant[workload] = append(l.meant[workload], ref)
			}
			if len(list.Items()) == 0 {
				l.meant[workload] = append(l.meant[workload], "")
			}
		}
	}
}

// members reads who is in which groups.
func (t *tf) members() {
	if t.src.Alone {
		t.takeForGranted()
	}
	for i := range t.set.Resources {
		r := &t.set.Resources[i]
		if r.Data || slices.Contains(noHolders, r.Type) || !strings.HasPrefix(r.Type, "aws_") {
			t.strange(r)
			continue
		}
		h := holder{what: r.Address, names: t.names(r), addrs: t.addresses(r.Body), pos: r.Pos}
		given := t.collect(&h, r.Body, 0)
		switch {
		case given:
			t.holders = append(t.holders, h)
		case r.Type == "aws_instance" && r.Attribute("launch_template").Set():
			h.doubt = "the launch template of " + r.Address + " says its groups"
			t.holders = append(t.holders, h)
		case r.Type == "aws_instance" && (r.Attribute("network_interface").Set() || r.Attribute("primary_network_interface").Set()):
			t.wearing(r)
		case r.Type == "aws_instance" || r.Type == "aws_network_interface":
			t.inDefault(&h, r)
		}
	}
	t.further()
	t.attachments()
}

// strange notes resources of this layer's kind that nothing here reads.
func (t *tf) strange(r *terraform.Resource) {
	known := append([]string{"aws_ec2_managed_prefix_list"}, noHolders...)
	if !r.Data && (strings.HasPrefix(r.Type, "aws_security_group") || strings.HasPrefix(r.Type, "aws_vpc_security_group")) && !slices.Contains(known, r.Type) {
		t.doubtful(r.Address, "resources of type "+r.Type+" are not understood", r.Pos, nil)
	}
}

// takeForGranted puts every workload into the groups that the files mean it to
// be in.
func (t *tf) takeForGranted() {
	for _, workload := range sortedKeys(t.meant) {
		h := holder{what: "output firebreak_security_groups", names: []string{workload}}
		for _, ref := range t.meant[workload] {
			if ref == "" {
				h.doubt = "the output lists no group for " + workload + ", which then has the default group of its VPC"
				continue
			}
			key, why := t.keyOf(terraform.Value{Kind: terraform.Reference, Ref: ref})
			if key == "" && !strings.Contains(ref, ".") {
				key, why = t.keyOfID(ref)
			}
			if key != "" {
				h.groups = append(h.groups, key)
			} else {
				h.doubt = cmp.Or(why, "a group of "+workload+" is not known")
			}
		}
		t.holders = append(t.holders, h)
	}
}

// resolveMeant finds the groups that the files mean workloads to be in.
func (t *tf) resolveMeant() {
	for _, refs := range t.meant {
		for i, ref := range refs {
			if key, _ := t.keyOf(terraform.Value{Kind: terraform.Reference, Ref: ref}); key != "" {
				refs[i] = key
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// names lists what a workload may be called that a resource stands for.
func (t *tf) names(r *terraform.Resource) []string {
	out := []string{r.Address}
	for _, s := range []string{r.ID, t.text(t.set.Known(r.Attribute("tags")).Field("Name")), t.text(r.Attribute("identifier")), t.text(r.Attribute("function_name")),
		t.text(r.Attribute("cluster_identifier")), t.text(r.Attribute("replication_group_id")), t.text(r.Attribute("cluster_id"))} {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (t *tf) addresses(body terraform.Value) []netip.Addr {
	var out []netip.Addr
	for _, field := range []string{"private_ip", "private_ips", "secondary_private_ips", "ipv6_addresses"} {
		v := t.set.Known(body.Field(field))
		for _, x := range append(v.Items(), v) {
			if a, err := netip.ParseAddr(t.text(x)); err == nil {
				out = append(out, a)
			}
		}
	}
	return out
}

// collect finds the arguments by which a resource is put into groups, also in
// nested blocks, and reports whether there are any.
func (t *tf) collect(h *holder, v terraform.Value, depth int) bool {
	given := false
	if depth > 4 {
		return false
	}
	for _, name := range sortedKeys(v.Fields) {
		x := v.Fields[name]
		if slices.Contains(groupArguments, name) && x.Set() {
			given = true
			var r liftedRule
			t.each(&r, x, func(g terraform.Value) {
				if key, why := t.keyOf(g); key != "" {
					h.groups = append(h.groups, key)
				} else if s := t.text(g); why != "" && !strings.HasPrefix(s, "sg-") && s != "" {
					h.doubt = cmp.Or(h.doubt, "it names the group "+s+", which is not among the files")
				} else {
					h.doubt = cmp.Or(h.doubt, why)
				}
			})
			h.doubt = cmp.Or(h.doubt, r.unknown)
			continue
		}
		if x.Kind == terraform.Object {
			given = t.collect(h, x, depth+1) || given
		}
		for _, y := range x.List {
			if y.Kind == terraform.Object {
				given = t.collect(h, y, depth+1) || given
			}
		}
	}
	return given
}

// inDefault puts what is given no group into the default group of its VPC.
func (t *tf) inDefault(h *holder, r *terraform.Resource) {
	vpc := ""
	if v := r.Attribute("subnet_id"); v.Kind == terraform.Reference {
		if subnet, _, ok := t.set.Resolve(v.Ref); ok {
			vpc = t.vpcOf(subnet.Attribute("vpc_id"))
		}
	}
	if key, why := t.defaultOf(vpc); key != "" {
		h.groups = append(h.groups, key)
	} else {
		h.doubt = r.Address + " is given no group and gets the default one; " + why
	}
	t.holders = append(t.holders, *h)
}

// wearing lets an instance stand behind the interfaces that it is given.
func (t *tf) wearing(r *terraform.Resource) {
	for _, field := range []string{"network_interface", "primary_network_interface"} {
		for _, b := range r.Attribute(field).Items() {
			t.wear(r, b.Field("network_interface_id"))
		}
	}
}

// wear lets an instance stand behind an interface.
func (t *tf) wear(r *terraform.Resource, v terraform.Value) {
	found := false
	for i := range t.set.Resources {
		if n := &t.set.Resources[i]; n.Type == "aws_network_interface" && !n.Data && t.set.Same(v, n) {
			h := holder{what: r.Address, names: append(t.names(r), n.Address), addrs: t.addresses(n.Body), pos: r.Pos, worn: true}
			if !t.collect(&h, n.Body, 0) {
				t.inDefault(&h, n)
			} else {
				t.holders = append(t.holders, h)
			}
			found = true
		}
	}
	if !found {
		t.holders = append(t.holders, holder{what: r.Address, names: t.names(r), pos: r.Pos, doubt: "an interface of " + r.Address + " is not among the files"})
	}
}

// further lets instances stand behind the interfaces that they get beside their
// first.
// docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html
func (t *tf) further() {
	to := func(instance, face terraform.Value) bool {
		if r, _, ok := t.set.Resolve(instance.Ref); ok && instance.Kind == terraform.Reference {
			t.wear(r, face)
			return true
		}
		id := t.text(instance)
		if id != "" {
			t.wear(&terraform.Resource{Address: id, Pos: instance.Pos}, face)
		}
		return id != ""
	}
	for _, r := range t.set.Of("aws_network_interface_attachment") {
		if !to(r.Attribute("instance_id"), r.Attribute("network_interface_id")) {
			t.doubtful(r.Address, "the instance that it gives an interface to is not known", r.Pos, nil)
		}
	}
	for _, r := range t.set.Of("aws_network_interface") {
		for _, b := range r.Attribute("attachment").Items() {
			to(b.Field("instance"), terraform.Value{Kind: terraform.Reference, Ref: r.Address + ".id", Pos: r.Pos})
		}
	}
}

// attachments puts interfaces into further groups.
func (t *tf) attachments() {
	own := map[string]int{} // holders of interfaces that are not among the files
	for _, r := range t.set.Of("aws_network_interface_sg_attachment") {
		key, why := t.keyOf(r.Attribute("security_group_id"))
		v := r.Attribute("network_interface_id")
		found := false
		if to, _, ok := t.set.Resolve(v.Ref); ok && v.Kind == terraform.Reference {
			for i := range t.holders {
				h := &t.holders[i]
				switch {
				case !slices.Contains(h.names, to.Address):
					continue
				case h.worn && to.Type == "aws_instance":
					h.doubt = cmp.Or(h.doubt, "which interface of "+to.Address+" is its first is not read")
				default:
					h.attach(key, why)
				}
				found = true
			}
		}
		id := t.text(v)
		if found || id == "" {
			if !found {
				t.doubtful(r.Address, "the interface that it attaches a group to is not known", r.Pos, nil)
			}
			continue
		}
		n, known := own[id]
		if !known {
			n = len(t.holders)
			own[id] = n
			h := holder{what: id, names: []string{id}, pos: r.Pos}
			if !t.src.Alone {
				h.doubt = "which groups " + id + " has beside those attached here is not among the files"
			}
			t.holders = append(t.holders, h)
		}
		t.holders[n].attach(key, why)
	}
}

func (h *holder) attach(key, why string) {
	if key != "" {
		h.groups = append(h.groups, key)
	} else {
		h.doubt = cmp.Or(h.doubt, why)
	}
}
