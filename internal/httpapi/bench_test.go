package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"firebreak/internal/flow"
	"firebreak/internal/wire"
)

// BenchmarkIntakeToSubscriber measures what a conversation's report takes from
// its Time to a reader of the stream: over the unix socket, through the merge,
// as JSON over HTTP. Reports come at a steady rate, once a millisecond.
//
//	go test -run '^$' -bench IntakeToSubscriber -benchtime 100000x ./internal/httpapi
func BenchmarkIntakeToSubscriber(b *testing.B) {
	for _, c := range []struct {
		rate int // conversations per second
		ends int
	}{{1000, 1}, {20_000, 1}, {20_000, 2}} {
		b.Run(fmt.Sprintf("rate=%d/ends=%d", c.rate, c.ends), func(b *testing.B) { benchIntake(b, c.rate, c.ends) })
	}
}

func benchIntake(b *testing.B, rate, ends int) {
	path := sockPath(b)
	s := boot(b, Options{Wire: path})
	st, _ := follow(b, s)
	var agents []*wire.Writer
	for i := range ends {
		w, _ := agent(b, path, fmt.Sprintf("host-%d", i))
		agents = append(agents, w)
	}
	st.until("the agents", func(batch Batch) bool {
		n := 0
		for _, a := range batch.Agents {
			if a.Connected {
				n++
			}
		}
		return n == ends
	})
	b.ResetTimer()
	go pace(agents, rate, b.N)
	var lags []time.Duration
	seen := 0
	for seen < b.N {
		_, data := st.event()
		now := time.Now()
		var batch struct {
			Flows []struct {
				Time time.Time `json:"time"`
			} `json:"flows"`
			Skipped int `json:"skipped"`
		}
		if !bytes.Contains(data, []byte(`"flows"`)) {
			continue
		}
		if err := json.Unmarshal(data, &batch); err != nil {
			b.Fatal(err)
		}
		for _, f := range batch.Flows {
			lags = append(lags, now.Sub(f.Time))
		}
		seen += len(batch.Flows) + batch.Skipped
	}
	b.StopTimer()
	if t := s.Totals(); t.Forwarded != uint64(b.N) || t.Unsent != 0 {
		// The second end's last reports may still be on their way, but they add none.
		b.Fatalf("%d conversations, counted %+v", b.N, t)
	}
	slices.Sort(lags)
	b.ReportMetric(float64(lags[len(lags)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(lags[len(lags)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(lags[len(lags)-1].Microseconds())/1000, "max-ms")
	b.ReportMetric(float64(b.N-len(lags)), "skipped")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "flows/s")
}

// pace sends total conversations at rate per second, from each end its report.
func pace(agents []*wire.Writer, rate, total int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began, sent := time.Now(), 0
	for sent < total {
		<-tick.C
		due := min(total, int(time.Since(began).Seconds()*float64(rate)))
		for n := due - sent; n > 0; n = due - sent {
			n = min(n, 500)
			for i, w := range agents {
				flows := make([]flow.Flow, n)
				for j := range flows {
					k := sent + j
					flows[j] = report("", flow.Direction(i), uint16(1+k%60_000), flow.Forwarded)
					flows[j].Src = flows[j].Src.Next()
					flows[j].DstPort = uint16(8080 + k/60_000)
					if k%10 == 0 {
						flows[j].FromService = fmt.Sprintf("web-%d", k%50)
					}
				}
				w.Send(wire.Message{Flows: &wire.Flows{Flows: flows}})
			}
			sent += n
		}
	}
}
