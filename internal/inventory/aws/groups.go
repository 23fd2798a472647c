package aws

import (
	"strings"

	"firebreak/internal/label"
	answers "firebreak/internal/live/aws"
)

// groupKeys gives every security group that is spoken of a label key by its
// name. VPCs may have groups of one name, and these share the key. Names may hold
// what keys may not; two names that would become one key stand by their ids, and
// so do groups whose names nobody says.
func groupKeys(a *answers.Answers) map[string]string {
	names := map[string]string{} // by id
	add := func(list []answers.GroupIdentifier) {
		for _, g := range list {
			if names[g.GroupId] == "" {
				names[g.GroupId] = g.GroupName
			}
		}
	}
	for i := range a.SecurityGroups {
		names[a.SecurityGroups[i].GroupId] = a.SecurityGroups[i].GroupName
	}
	for i := range a.NetworkInterfaces {
		add(a.NetworkInterfaces[i].Groups)
	}
	for i := range a.Instances {
		add(a.Instances[i].SecurityGroups)
		for k := range a.Instances[i].NetworkInterfaces {
			add(a.Instances[i].NetworkInterfaces[k].Groups)
		}
	}
	delete(names, "")
	meant := map[string]map[string]bool{} // names by key
	for _, name := range names {
		key := groupKey(name)
		if meant[key] == nil {
			meant[key] = map[string]bool{}
		}
		meant[key][name] = true
	}
	keys := map[string]string{}
	for id, name := range names {
		if keys[id] = groupKey(name); keys[id] == "" || len(meant[keys[id]]) > 1 {
			keys[id] = groupKey(id)
		}
	}
	return keys
}

// groupPrefix is what keys of groups begin with; label.CheckKey lets 63 letters
// follow the slash.
const groupPrefix = "aws/group."

// groupKey turns a name into a label key; "" if nothing is left of it.
func groupKey(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			b.WriteRune(r)
		case !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name = strings.Trim(b.String(), "-_.")
	name = strings.TrimRight(name[:min(len(name), 63-len("group."))], "-_.")
	if name == "" || label.CheckKey(groupPrefix+name) != nil {
		return ""
	}
	return groupPrefix + name
}

// memberOf labels what is in groups. Two groups of one name can only be on
// interfaces in two VPCs: the second then stands by its id.
func (c *collector) memberOf(labels map[string]string, list []answers.GroupIdentifier) {
	for _, g := range list {
		key := c.groups[g.GroupId]
		if old := labels[key]; old != "" && old != g.GroupId {
			key = groupKey(g.GroupId)
		}
		if key != "" {
			labels[key] = g.GroupId
		}
	}
}
