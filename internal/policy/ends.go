package policy

import (
	"strings"

	"firebreak/internal/lang"
	"firebreak/internal/netset"
)

// ends is one end of what is said: any of these, or with not everything else.
type ends struct {
	list []lang.Endpoint
	not  bool
}

func one(e lang.Endpoint) ends { return ends{list: []lang.Endpoint{e}} }

// String is what people read: "service orders", "any but zone web, zone data".
func (e ends) String() string {
	words := make([]string, len(e.list))
	for i, x := range e.list {
		words[i] = endText(x)
	}
	text := strings.Join(words, ", ")
	if e.not {
		return "any but " + text
	}
	return text
}

// service returns the name of the one service that is meant, if it is that.
func (e ends) service() string {
	if len(e.list) == 1 && !e.not && e.list[0].Kind == lang.ByService {
		return e.list[0].Name
	}
	return ""
}

// wide reports whether the end may mean more than its endpoints name.
func (e ends) wide() bool {
	return e.not || len(e.list) == 1 && e.list[0].Kind == lang.ByAny
}

func endText(e lang.Endpoint) string {
	switch e.Kind {
	case lang.ByAny:
		return "any"
	case lang.BySelect:
		return "select " + e.Selector.String()
	default:
		return e.Kind.String() + " " + e.Name
	}
}

func portsText(ports []lang.Port) string {
	if ports == nil {
		return "all"
	}
	var words []string
	fixed := netset.None()
	for _, p := range ports {
		if p.Name != "" {
			words = append(words, p.Name)
		}
		fixed = fixed.Union(p.Traffic)
	}
	if !fixed.IsEmpty() {
		words = append(words, fixed.String())
	}
	return strings.Join(words, "; ")
}
