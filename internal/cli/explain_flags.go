package cli

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/internal/flow"
)

type explainFlags struct {
	from, to, port, expect, http, host, at, live *string
	headers                                      *[]string
	inForce, noMTLS                              *bool
}

func newExplainFlags(cmd *cobra.Command) explainFlags {
	fs := cmd.Flags()
	return explainFlags{
		from:    fs.String("from", "", "who begins the conversation"),
		to:      fs.String("to", "", "whom it is to reach"),
		port:    fs.String("port", "", "to which port"),
		expect:  fs.String("expect", "", "allow or deny: exit with 1 if it is not so"),
		inForce: fs.Bool("in-force", false, "judge by what is enforced now, not by the whole policy"),
		http:    fs.String("http", "", `with which request: "POST /api/v1/orders"`),
		host:    fs.String("host", "", "the host of the request"),
		headers: fs.StringArray("header", nil, "a header of the request, NAME=VALUE (repeatable)"),
		at:      fs.String("at", "", "at which time, like 2027-01-31T18:00:00Z (now where not given)"),
		noMTLS:  fs.Bool("no-mtls", false, "the peer does not prove its principal"),
		live:    fs.String("live", "", "walk through every layer that lies in this live `FOLDER`"),
	}
}

func (f explainFlags) check() error {
	switch {
	case *f.from == "" || *f.to == "":
		return misusef("--from and --to are both needed")
	case !slices.Contains([]string{"", "allow", "deny"}, *f.expect):
		return misusef("--expect %s: write allow or deny", *f.expect)
	case *f.http == "" && (*f.host != "" || len(*f.headers) > 0):
		return misusef(`--host and --header are of a request: add --http "GET /"`)
	}
	return nil
}

// circumstances are what the flags say beside ends and port.
func (f explainFlags) circumstances(now time.Time) (c flow.Circumstances, err error) {
	c.At, c.MTLS = now, !*f.noMTLS
	if *f.at != "" {
		if c.At, err = time.Parse(time.RFC3339, *f.at); err != nil {
			return c, misusef("--at %q is no time: write it like 2027-01-31T18:00:00Z or 2027-01-31T19:00:00+01:00", *f.at)
		}
	}
	if *f.http != "" {
		c.HTTP, err = f.request()
	}
	return c, err
}

func (f explainFlags) request() (*flow.Request, error) {
	words := strings.Fields(*f.http)
	if len(words) != 2 || words[1][0] != '/' {
		return nil, misusef(`--http %q is no request: write it like "POST /api/v1/orders"`, *f.http)
	}
	if upper := strings.ToUpper(words[0]); upper != words[0] {
		return nil, misusef("--http: methods are upper case: write %s", upper)
	}
	r := &flow.Request{Method: words[0], Host: strings.TrimSuffix(strings.ToLower(*f.host), ".")}
	r.Path, _, _ = strings.Cut(words[1], "?")
	if strings.Contains(r.Host, ":") {
		return nil, misusef("--host %q: leave out the port", *f.host)
	}
	for _, h := range *f.headers {
		name, value, ok := strings.Cut(h, "=")
		name = strings.ToLower(name)
		if !ok || name == "" {
			return nil, misusef("--header %q: write NAME=VALUE", h)
		}
		if r.Headers == nil {
			r.Headers = map[string]string{}
		}
		if old, twice := r.Headers[name]; twice {
			value = old + ", " + value
		}
		r.Headers[name] = value
	}
	return r, nil
}

// requestText writes a request down for people, on one line.
func requestText(r *flow.Request) string {
	out := r.Method + " " + r.Path
	if r.Host != "" {
		out += " host " + r.Host
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		out += " with " + name + "=" + r.Headers[name]
	}
	return out
}
