package demo

import (
	"context"
	"errors"
	"io"
	"time"

	"firebreak/internal/httpapi"
	"firebreak/internal/wire"
)

// runRecorded plays a recording to the page: what the agents said goes through
// the same server as it did then, so flows and edges are counted anew. What
// the attacker, the victims and the shoppers measured is as it was recorded.
func runRecorded(ctx context.Context, o Options, st *story) (report *Report, err error) {
	r, said, file, err := openRecording(o.Play)
	if err != nil {
		return nil, &Error{What: err.Error(), Do: "make one with `firebreak demo --record FILE`"}
	}
	defer file.Close()
	if o.JSON {
		o.Listen = "127.0.0.1:0" // nobody has the time to look
	}
	p, err := openPage(ctx, httpapi.Options{Listen: o.Listen, Recorded: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return (&deck{o: o, story: st, page: p, recording: r}).play(ctx, said)
}

// deck plays one recording.
type deck struct {
	o         Options
	story     *story
	page      *page
	recording *recording
}

// play plays everything and stays as long as the options say. The numbers are
// taken when the recording is over.
func (d *deck) play(ctx context.Context, said io.Reader) (*Report, error) {
	when := d.recording.Time
	d.story.head("A run recorded on %s; nothing of it happens on this machine", when.Format("2 January 2006, 15:04 MST"))
	d.story.tell("page", "%s shows it again", d.page.base)
	opt := wire.PlayOptions{AtOnce: d.o.JSON}
	if !d.o.JSON {
		opt.Start = time.Now()
		go d.retell(ctx)
	}
	err := wire.Play(ctx, said, opt, func(_ time.Time, m wire.Message) error { return d.page.publish(m) })
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	report := *d.recording.Report
	report.Enforcement = "recorded"
	report.Recorded = &Origin{Time: when}
	if ctx.Err() == nil {
		d.page.fill(ctx, &report)
	}
	return &report, d.stay(ctx)
}

// stay keeps the page open until the time is over or the context ends.
func (d *deck) stay(ctx context.Context) error {
	if d.o.JSON {
		return nil
	}
	if d.o.For == 0 {
		d.story.tell("over", "the recording is over; %s stays until Ctrl-C", d.page.base)
		<-ctx.Done()
		return nil
	}
	left := time.NewTimer(d.o.For - time.Since(d.story.begin))
	defer left.Stop()
	select {
	case <-ctx.Done():
	case <-left.C:
	}
	return nil
}

// retell tells the story as it was told, each line in its time.
func (d *deck) retell(ctx context.Context) {
	begin := time.Now()
	for _, l := range d.recording.Story {
		if l.Label == "page" || l.Label == "look" {
			continue // those are about the page of then
		}
		wait := time.NewTimer(l.At - time.Since(begin))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
			d.story.replay(l)
		}
	}
}
