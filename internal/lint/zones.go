package lint

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/internal/label"
	"firebreak/internal/lang"
)

// Below these sizes zones are what they are because the estate is small.
const (
	coarseFrom  = 10 // workloads in an estate of which one zone may be said to hold everything
	coarseShare = 0.9
	fineFrom    = 5 // zones
)

func (l *linter) zones() {
	for _, z := range l.dir.Zones {
		if z.StagePos.Line == 0 {
			l.about(z.Accepts, "no-stage").Warnf(z.Pos, "no-stage", "zone %s has no stage, and observes", z.Name).
				WithHelp("write what is meant: stage: observe, alert or enforce")
		}
		if z.Stage == lang.Enforce && z.Select != nil {
			l.editable(z)
		}
	}
	l.undeclared()
	l.sizes()
}

// editable finds zones that enforce, and that a workload can leave or enter by
// a label that whoever runs the workload may set.
func (l *linter) editable(z *lang.Zone) {
	var loose []string
	declared := false
	for _, key := range z.Select.Selector.Keys() {
		switch l.authority(key) {
		case "tag":
			declared = true
			loose = append(loose, key)
		case "":
			loose = append(loose, key)
		}
	}
	if len(loose) < len(z.Select.Selector.Keys()) || len(loose) == 0 {
		return // some label holds the workload where it is
	}
	message := fmt.Sprintf("zone %s enforces by %s, which whoever may edit a workload can set", z.Name, strings.Join(loose, ", "))
	help := fmt.Sprintf("add a label that inventories attest (cloud/account, k8s/namespace …), or say in the Estate's labels who sets it: {from: …, to: %s, authority: controller}", loose[0])
	if declared {
		l.about(z.Accepts, "editable-zone-label").Warnf(z.Select.Pos, "editable-zone-label", "%s", message).WithHelp("%s", help)
		return
	}
	if !slices.Contains(z.Accepts, "editable-zone-label") {
		l.loose = append(l.loose, z)
		l.looseKeys = append(l.looseKeys, loose...)
	}
}

// undeclared says once for all zones that nobody knows who sets their labels.
func (l *linter) undeclared() {
	if len(l.loose) == 0 {
		return
	}
	names := make([]string, len(l.loose))
	for i, z := range l.loose {
		names[i] = z.Name
	}
	slices.Sort(l.looseKeys)
	keys := slices.Compact(l.looseKeys)
	l.diags.Infof(l.loose[0].Select.Pos, "editable-zone-label", "the Estate does not say who sets %s, by which zones enforce (%s)", strings.Join(keys, ", "), strings.Join(names, ", ")).
		WithHelp("say it in the Estate's labels: {from: …, to: %s, authority: controller}; whoever can set the label of a workload moves it between zones", keys[0])
}

// authority is who sets a label: "attested", "controller", "tag", or "" where
// nobody says it.
func (l *linter) authority(key string) string {
	if label.IsBuiltin(key) {
		return "attested"
	}
	if l.dir.Estate != nil {
		for _, m := range l.dir.Estate.Labels {
			if m.To == key {
				return m.Authority
			}
		}
	}
	return ""
}

// sizes finds estates whose zones do not divide them, or divide them into
// single workloads.
func (l *linter) sizes() {
	n := len(l.p.Inventory.Workloads)
	count := make([]int, len(l.p.Zones))
	for _, z := range l.p.ZoneOf {
		count[z]++
	}
	declared, single := 0, 0
	for i, z := range l.p.Zones {
		if z.Name == lang.Unassigned {
			continue
		}
		if count[i] > 0 {
			declared++
		}
		if count[i] == 1 {
			single++
		}
		if n >= coarseFrom && float64(count[i]) >= coarseShare*float64(n) && len(l.p.Services) > 1 {
			l.about(l.acceptsOf(z.Name), "too-coarse").Warnf(z.Pos, "too-coarse", "zone %s holds %d of %d workloads: whoever takes one is in the zone of nearly all", z.Name, count[i], n).
				WithHelp("divide it by what the workloads are for, how sensitive they are, and by environment")
		}
	}
	if declared >= fineFrom && single == declared && declared == n {
		z := l.p.Zones[0]
		l.about(l.acceptsOf(z.Name), "too-fine").Warnf(z.Pos, "too-fine", "every workload has a zone of its own (%d zones)", declared).
			WithHelp("a zone holds what shares purpose, sensitivity and environment; single workloads are told apart by services")
	}
}

func (l *linter) acceptsOf(zone string) []string {
	i := slices.IndexFunc(l.dir.Zones, func(z *lang.Zone) bool { return z.Name == zone })
	if i < 0 {
		return nil
	}
	return l.dir.Zones[i].Accepts
}
