package corpus

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/lang"
)

// circumstances takes the last words of a line that say more than who, whom and
// what becomes of it, and returns the rest.
func (f *Flow) circumstances(words []string) ([]string, error) {
	f.In = flow.Circumstances{At: Noon, MTLS: true}
	for i := len(words) - 1; i >= 5; i-- {
		what, value, ok := strings.Cut(words[i], ":")
		if !ok {
			return words[:i+1], f.whole()
		}
		if err := f.circumstance(what, value); err != nil {
			return nil, fmt.Errorf("%q: %w", words[i], err)
		}
	}
	return words[:min(5, len(words))], f.whole()
}

func (f *Flow) circumstance(what, value string) (err error) {
	switch what {
	case "at":
		f.In.At, err = time.Parse(time.RFC3339, value)
	case "http":
		method, path, ok := strings.Cut(value, ":")
		if !ok || path == "" {
			return fmt.Errorf("want http:METHOD:/path")
		}
		f.request().Method, f.request().Path = method, path
	case "host":
		f.request().Host = value
	case "header":
		name, text, ok := strings.Cut(value, "=")
		if !ok {
			return fmt.Errorf("want header:name=value")
		}
		if f.request().Headers == nil {
			f.request().Headers = map[string]string{}
		}
		f.request().Headers[name] = text
	case "mtls":
		f.In.MTLS = false
		if value != "no" {
			return fmt.Errorf("want mtls:no")
		}
	default:
		return fmt.Errorf("want at, http, host, header or mtls")
	}
	return err
}

func (f *Flow) request() *flow.Request {
	if f.In.HTTP == nil {
		f.In.HTTP = &flow.Request{}
	}
	return f.In.HTTP
}

// whole refuses a host or a header without a request.
func (f *Flow) whole() error {
	if f.In.HTTP != nil && f.In.HTTP.Path == "" {
		return fmt.Errorf("host and header need http:METHOD:/path")
	}
	return nil
}

// Condition is something that a verdict may depend on beside ends and ports,
// and that not every judge can see.
type Condition string

// The conditions.
const (
	HTTP     Condition = "http"     // some rule speaks of requests
	MTLS     Condition = "mtls"     // some rule demands a proven principal
	Time     Condition = "time"     // some rule has a window or ends
	Name     Condition = "name"     // the destination is known by its FQDNs
	Frontend Condition = "frontend" // the destination is in front of workloads
)

// Beyond names those of the conditions that a judge is blind to and on which
// the verdict about a flow may depend, "" if there are none: then the judge has
// to answer. A rule has a bearing if it may speak of the flow's port.
func (c *Case) Beyond(f Flow, blind ...Condition) string {
	var out []string
	for _, condition := range c.bearing(f) {
		if slices.Contains(blind, condition) && !slices.Contains(out, string(condition)) {
			out = append(out, string(condition))
		}
	}
	return strings.Join(out, ", ")
}

// bearing lists the conditions on which the verdict about a flow may depend.
func (c *Case) bearing(f Flow) []Condition {
	var out []Condition
	note := func(condition Condition, ports []lang.Port, there bool) {
		if there && f.mayBe(ports) {
			out = append(out, condition)
		}
	}
	for _, g := range c.Dir.Guardrails {
		note(HTTP, g.Ports, g.HTTP != nil)
	}
	for _, x := range c.Dir.Exceptions {
		note(HTTP, x.Ports, x.HTTP != nil)
		note(Time, x.Ports, true)
	}
	for _, p := range c.Dir.Policies {
		for _, r := range p.Rules {
			note(HTTP, r.Ports, r.HTTP != nil)
			note(MTLS, r.Ports, r.MTLS)
			note(Time, r.Ports, r.When != nil)
		}
	}
	note(Name, nil, f.External != "")
	for _, front := range c.Inv.Frontends {
		note(Frontend, nil, slices.Contains(front.Addresses, f.To))
	}
	return out
}

// mayBe reports whether ports may be about the flow; a name may mean any.
func (f *Flow) mayBe(ports []lang.Port) bool {
	return ports == nil || slices.ContainsFunc(ports, func(p lang.Port) bool {
		return p.Name != "" || p.Traffic.Contains(f.Protocol, f.Port)
	})
}
