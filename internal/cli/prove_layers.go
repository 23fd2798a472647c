package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/flow"
	"firebreak/internal/layer"
	"firebreak/internal/netset"
	"firebreak/internal/path"
	"firebreak/internal/prove"
)

// layersOf asks each layer about the conversation of a witness about all of them.
// It is nil for one of a workload that could be there and is not.
func (l *loaded) layersOf(w *prove.Witness, layers []*layer.Layer) []path.Step {
	if w == nil {
		return nil
	}
	q := path.Question{In: flow.Circumstances{At: w.At, MTLS: w.MTLS}}
	var ok [3]bool
	q.From, ok[0] = l.witnessed(w.From)
	q.To, ok[1] = l.witnessed(w.To)
	q.Protocol, q.Port, ok[2] = witnessedPort(w.Port)
	if slices.Contains(ok[:], false) {
		return nil
	}
	if method, target, is := strings.Cut(w.HTTP, " "); is {
		q.In.HTTP = &flow.Request{Method: method, Path: target, Host: w.Host, Headers: w.Head}
	}
	return (&path.Estate{Inventory: l.inv, Networks: l.p.Networks, Layers: layers}).Explain(q).Steps
}

// witnessed is an end of a witness's conversation.
func (l *loaded) witnessed(name string) (layer.Party, bool) {
	for i := range l.inv.Workloads {
		if l.inv.Workloads[i].Name == name {
			return layer.Party{Workload: &l.inv.Workloads[i]}, true
		}
	}
	if external, is := strings.CutPrefix(name, "external "); is {
		return layer.Party{External: external}, true
	}
	a, err := netip.ParseAddr(name)
	return layer.Party{Addr: a}, err == nil
}

// witnessedPort reads "5432/TCP", or a protocol without ports.
func witnessedPort(text string) (netset.Protocol, uint16, bool) {
	number, word, has := strings.Cut(text, "/")
	if !has {
		word = text
	}
	for p := range netset.NumProtocols {
		if p := netset.Protocol(p); p.String() == word && p.HasPorts() == has {
			n, err := strconv.ParseUint(number, 10, 16)
			return p, uint16(n), !has || err == nil
		}
	}
	return 0, 0, false
}

// deciding are the steps that make a witness's effect what it is: of what is refused
// those that refuse it, of what passes those that let it pass, and not the way there.
func deciding(w *prove.Witness, steps []path.Step) []path.Step {
	var out []path.Step
	for _, s := range steps {
		if string(s.Effect) == w.Effect && (s.End != "" || s.Effect != path.Allow) {
			out = append(out, s)
		}
	}
	return out
}

func textLayers(b *strings.Builder, w *prove.Witness, steps []path.Step) {
	for i, s := range deciding(w, steps) {
		word := ""
		if i == 0 {
			word = "says"
		}
		fmt.Fprintf(b, "        %-5s", word)
		textLiveStep(b, s)
	}
}
