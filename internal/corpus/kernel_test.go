package corpus_test

import (
	"context"
	"encoding/binary"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"firebreak/internal/corpus"
	"firebreak/internal/datapath"
	"firebreak/internal/datapath/layout"
	"firebreak/internal/demo/lab"
	"firebreak/internal/flow"
	"firebreak/internal/inventory"
	"firebreak/internal/lang"
	"firebreak/internal/netset"
	"firebreak/internal/policy"
	"firebreak/internal/semantics"
	"firebreak/internal/target/ebpf"
)

// neutral is the identity of a host that lets everything pass, so that only
// the ends of the case decide.
const neutral = 1 << 30

// kernel is the real program, asked packet by packet.
type kernel struct {
	dp    *datapath.Datapath
	rules map[uint32]flow.Rule
	port  uint16 // of the next conversation: each is a new one

	expired bool // whether the last one was dropped because its time was over

	mu     sync.Mutex
	events []layout.Event
	more   chan struct{}
}

func newKernel(t *testing.T) *kernel {
	t.Helper()
	if _, _, err := datapath.Probe(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("kernel tests must run here: %v", err)
		}
		t.Skipf("kernel tests need more: %v", err)
	}
	l, err := lab.New("fbcorpus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	o := datapath.Options{Pins: "/sys/fs/bpf/firebreak-test/corpus", Namespaces: []string{l.Router().NamespacePath()}, Connections: 1 << 17}
	dp, err := datapath.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	k := &kernel{dp: dp, more: make(chan struct{}, 1), port: 1024}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = dp.Events(ctx, k.take)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := dp.Close(); err != nil {
			t.Error(err)
		}
		if err := datapath.Detach(o); err != nil {
			t.Error(err)
		}
	})
	return k
}

func (k *kernel) take(es []layout.Event) {
	k.mu.Lock()
	k.events = append(k.events, es...)
	k.mu.Unlock()
	select {
	case k.more <- struct{}{}:
	default:
	}
}

// load puts a case's policy into the kernel of a host on which every workload
// of the inventory runs: tables of one time, for a kernel that is told that it
// is another.
func (k *kernel) load(t *testing.T, dir *lang.Dir, inv *inventory.Snapshot, at, now time.Time) {
	t.Helper()
	host := inventory.Workload{Name: ebpf.HostWorkload("unassigned"), Zone: "unassigned"}
	joined, diags := inventory.Join(inv, &inventory.Snapshot{Workloads: []inventory.Workload{host}})
	p, more := policy.Resolve(dir, joined)
	if p == nil || diags.HasErrors() {
		t.Fatalf("the policy does not resolve: %v %v", diags, more)
	}
	var own []netip.Addr
	for _, w := range inv.Workloads {
		own = append(own, w.Addresses...)
	}
	var numbers ebpf.Numbers
	tables, diags := ebpf.Render(p, ebpf.Host{Zone: "unassigned", OwnAddresses: own}, at, &numbers)
	if tables == nil {
		t.Fatalf("the policy does not render: %v", diags)
	}
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		t.Fatal(err)
	}
	tables.Clock = now.UnixNano() - boot.Nano()
	tables.HostIdentity = neutral
	for _, d := range []flow.Direction{flow.Egress, flow.Ingress} {
		tables.Policy[layout.PolicyKey{Local: neutral, Direction: d}] = layout.PolicyValue{
			InForceRule: layout.FirstRule, ToComeRule: layout.FirstRule, AllowInForce: true, AllowToCome: true,
		}
	}
	k.rules = ebpf.Rules(p, &numbers)
	if _, err := k.dp.Apply(tables); err != nil {
		t.Fatalf("apply: %v", err)
	}
}

// ask sends the first packet of a conversation through the program and waits
// for what each end that was asked says of it.
func (k *kernel) ask(t *testing.T, e *semantics.Evaluator, f corpus.Flow) (inForce, toCome flow.Verdict, inForceRule, toComeRule flow.Rule) {
	t.Helper()
	k.port++
	passes, err := k.dp.Try(packet(f, k.port))
	if err != nil {
		t.Fatal(err)
	}
	ends := answers(e.Address(f.From)) + answers(e.Address(f.To))
	told := k.told(t, func(es []layout.Event) bool {
		return len(es) == ends || (len(es) > 0 && es[len(es)-1].Verdict == flow.Dropped)
	})
	k.expired = false
	for _, ev := range told {
		if ev.Local == neutral {
			continue
		}
		k.expired = k.expired || ev.Reason == flow.Expired
		if ev.Verdict == flow.Audited || ev.Verdict > inForce {
			inForce, inForceRule = flow.Stricter(inForce, ev.Verdict), k.rules[ev.Rule]
		}
		if ev.ToCome > toCome {
			toCome, toComeRule = ev.ToCome, k.rules[ev.ToComeRule]
		}
	}
	if passes != (inForce != flow.Dropped) {
		t.Errorf("flows:%d: the packet passed: %v, but what was told is %s", f.Line, passes, inForce)
	}
	return inForce, toCome, inForceRule, toComeRule
}

// answers is 1 if a host answers for the party: its workloads, and addresses
// of the estate that nobody owns.
func answers(p semantics.Party) int {
	if len(p.Owners) > 0 || p.Unknown {
		return 1
	}
	return 0
}

// told waits until enough has been told of the newest conversation.
func (k *kernel) told(t *testing.T, enough func([]layout.Event) bool) []layout.Event {
	t.Helper()
	deadline := time.After(3 * time.Second)
	for {
		k.mu.Lock()
		es := k.events
		if enough(es) {
			k.events = nil
			k.mu.Unlock()
			return es
		}
		k.mu.Unlock()
		select {
		case <-k.more:
		case <-deadline:
			t.Fatalf("not enough was told: %+v", es)
		}
	}
}

// packet is the first one of a conversation: a SYN, a datagram, an echo
// request, or a protocol without ports.
func packet(f corpus.Flow, source uint16) []byte {
	var l4 []byte
	var proto byte
	ports := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, source), f.Port)
	switch f.Protocol {
	case netset.TCP:
		proto, l4 = 6, append(ports, 0, 0, byte(source>>8), byte(source), 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0)
	case netset.UDP:
		proto, l4 = 17, append(ports, 0, 8, 0, 0)
	case netset.SCTP:
		proto, l4 = 132, append(ports, make([]byte, 8)...)
	case netset.ICMP:
		proto, l4 = 1, []byte{8, 0, 0, 0, byte(source >> 8), byte(source), 0, 1}
		if f.From.Is6() {
			proto, l4[0] = 58, 128
		}
	default:
		proto, l4 = byte(140+source%100), make([]byte, 8)
	}
	if f.From.Is4() {
		h := []byte{0x45, 0, 0, byte(20 + len(l4)), 0, 0, 0, 0, 64, proto, 0, 0}
		return append(append(append(h, f.From.AsSlice()...), f.To.AsSlice()...), l4...)
	}
	h := []byte{0x60, 0, 0, 0, 0, byte(len(l4)), proto, 64}
	return append(append(append(h, f.From.AsSlice()...), f.To.AsSlice()...), l4...)
}

// blind is what the kernel cannot see.
var blind = []corpus.Condition{corpus.HTTP, corpus.MTLS, corpus.Name, corpus.Frontend}

// Without an agent the kernel goes on with the tables of an earlier time. It
// may then drop what a newer rendering would permit, never the other way round.
func TestOldTablesPermitNothingNew(t *testing.T) {
	k := newKernel(t)
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	expired := 0
	for _, c := range cases {
		e := semantics.New(c.Dir, c.Inv)
		for _, f := range c.Flows {
			if c.Beyond(f, corpus.Time) == "" || c.Beyond(f, blind...) != "" {
				continue
			}
			for _, age := range []time.Duration{time.Second, 7 * time.Hour, 30 * time.Hour, 9 * 24 * time.Hour} {
				k.load(t, c.Dir, c.Inv, f.In.At.Add(-age), f.In.At)
				inForce, _, by, _ := k.ask(t, e, f)
				if inForce != flow.Dropped && f.InForce == flow.Dropped {
					t.Errorf("%s, flows:%d: %s by %s under tables that are %s old", c.Name, f.Line, inForce, by, age)
				}
				if inForce == flow.Dropped && k.expired {
					expired++
				}
			}
		}
	}
	if expired < 10 {
		t.Errorf("only %d were dropped because their time was over: the test shows little", expired)
	}
}

// The real program, in the running kernel, judges the same corpus.
func TestKernelJudgesTheCorpus(t *testing.T) {
	k := newKernel(t)
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			e := semantics.New(c.Dir, c.Inv)
			var loaded time.Time
			for _, f := range c.Flows {
				if why := c.Beyond(f, corpus.Name, corpus.Frontend); why != "" {
					t.Logf("flows:%d: the kernel does not answer: it is blind to %s here", f.Line, why)
					continue
				}
				if !f.In.At.Equal(loaded) {
					loaded = f.In.At
					k.load(t, c.Dir, c.Inv, loaded, loaded)
				}
				if why := c.Beyond(f, blind...); why != "" { // then it may permit more, not less
					if inForce, _, by, _ := k.ask(t, e, f); inForce == flow.Dropped && f.InForce != flow.Dropped {
						t.Errorf("flows:%d: dropped by %s for want of %s; want %s by %s", f.Line, by, why, f.InForce, f.InForceRule)
					}
					continue
				}
				inForce, toCome, by, toComeBy := k.ask(t, e, f)
				if inForce != f.InForce || (inForce != flow.Dropped && toCome != f.ToCome) ||
					!names(by, f.InForceRule) || (inForce != flow.Dropped && !names(toComeBy, f.ToComeRule)) {
					t.Errorf("flows:%d: %s → %s %s %d is %s by %s and %s by %s; want %s by %s and %s by %s", f.Line, f.From, f.To, f.Protocol, f.Port,
						inForce, by, toCome, toComeBy, f.InForce, f.InForceRule, f.ToCome, f.ToComeRule)
				}
			}
		})
	}
}
