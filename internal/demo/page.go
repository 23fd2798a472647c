package demo

import (
	"context"
	"strings"

	"firebreak/internal/httpapi"
	"firebreak/internal/wire"
	"firebreak/web"
)

// page is the server in this process, and a subscriber to it like any other.
type page struct {
	server  *httpapi.Server
	base    string // http://host:port
	wire    string // the agents' socket, "" if there is none
	watcher *watcher
	cancel  context.CancelFunc
	served  chan error
}

// openPage starts the server and subscribes to it. An empty wire means that
// only Publish brings messages. The page lives until close, whatever becomes
// of the context.
func openPage(ctx context.Context, o httpapi.Options) (*page, error) {
	o.Static = web.Dist()
	server, err := httpapi.New(o)
	if err != nil {
		return nil, err // one line that says what to do
	}
	p := &page{server: server, base: strings.TrimSuffix(server.URL(), "/"), wire: o.Wire, served: make(chan error, 1)}
	p.watcher = newWatcher(p.base)
	ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() { p.served <- server.Run(ctx) }()
	ready, broken := make(chan struct{}), make(chan error, 1)
	go func() { broken <- p.watcher.run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
		return p, nil
	case err := <-broken:
		p.cancel()
		<-p.served
		return nil, err
	}
}

// publish takes in what an agent once said.
func (p *page) publish(m wire.Message) error {
	p.server.Publish(m)
	return nil
}

// fill waits until nothing more comes and writes flows and edges into the
// report. Where the subscriber was too slow to be told everything, which takes
// a machine that slept or a very long run, the server's own edges go in: they
// name what is outside instead of giving its address.
func (p *page) fill(ctx context.Context, r *Report) {
	p.watcher.settle(ctx)
	var complete bool
	if r.Edges, r.Flows, complete = p.watcher.result(); complete {
		return
	}
	t := p.server.Totals()
	r.Flows = Counts{Forwarded: t.Forwarded, Dropped: t.Dropped, Audited: t.Audited, Unjudged: t.Unjudged, Lost: t.Lost, Unsent: t.Unsent}
	r.Edges = []Edge{}
	for _, e := range p.server.Edges() {
		r.Edges = append(r.Edges, Edge{
			From: e.From, To: e.To, Traffic: e.Traffic, Verdict: e.Verdict.String(), ToCome: e.ToCome.String(),
			Rule: Rule(e.Rule), Flows: e.Flows,
		})
	}
}

// close ends the server and everything connected to it.
func (p *page) close() error {
	p.cancel()
	return <-p.served
}
