// Package actor holds the parts that processes play in the demonstration: the
// services of a small shop, the shoppers that load it, and an attacker who has
// taken one of its workloads. Each part runs as a process of its own, inside
// the namespace and the cgroup of the workload that it plays.
//
// An actor is told what to do, and tells what it saw, over a control
// connection that has nothing to do with the network under test or with
// Firebreak: JSON values, one after another, in both directions. When the
// connection ends the actor ends too, so that none outlives its director.
package actor

import (
	"encoding/json"
	"io"
	"net/netip"
	"sync"
	"time"
)

// Family is an IP version, 4 or 6.
type Family int

// Families lists both.
var Families = [...]Family{4, 6}

// FamilyOf returns the family of an address; a mapped one is of family 4.
func FamilyOf(a netip.Addr) Family {
	if a.Unmap().Is4() {
		return 4
	}
	return 6
}

// String returns "IPv4" or "IPv6".
func (f Family) String() string {
	if f == 4 {
		return "IPv4"
	}
	return "IPv6"
}

// Ends holds the address of one workload in each family.
type Ends struct {
	V4, V6 netip.Addr
}

// Of returns the address of one family.
func (e Ends) Of(f Family) netip.Addr {
	if f == 4 {
		return e.V4
	}
	return e.V6
}

// Kind is what is spoken on a port.
type Kind string

// The kinds: HTTP; a line protocol of our own, in which a line is answered by
// "OK " and the line; the same in UDP datagrams; ICMP echo, which the kernel
// answers while the actor looks on.
const (
	HTTP Kind = "http"
	Line Kind = "line"
	UDP  Kind = "udp"
	ICMP Kind = "icmp"
	SYN  Kind = "syn" // attacks only: the first packet of a handshake, made by hand
)

// Port is something that an actor serves, in both families.
type Port struct {
	Kind   Kind
	Number uint16 // 0 for ICMP
}

// Call is something that an actor asks for while it answers a request, in the
// family of the request.
type Call struct {
	Kind   Kind
	To     Ends
	Number uint16
	Path   string // HTTP only
}

// Attack is one of the attacker's undertakings.
type Attack struct {
	Name    string
	Family  Family
	Kind    Kind // Line is a handshake, whatever is spoken behind it
	Target  netip.Addr
	Numbers []uint16 // ports; empty for ICMP
	Tries   int      // per port and round
}

// Config is what an actor is. Exactly one of Serve, Calls with Rate, and
// Attacks says which part it plays.
type Config struct {
	Name    string
	Own     Ends
	Serve   []Port
	Calls   []Call
	Rate    float64 // requests a second and family; the actor is a shopper if it is above 0
	Attacks []Attack
	Hold    []Attack // connections that are opened with nothing enforced and tried again later
}

// The orders that follow a Config. An attacker attacks only when told to.
const (
	OrderOpen    = "open"    // run every attack once, with nothing enforced
	OrderEnforce = "enforce" // run every attack once, then again and again, slowly
	OrderCut     = "cut"     // shoppers: start the samples anew
	OrderStop    = "stop"    // finish what is under way
)

// Order is what the director says.
type Order struct {
	Config *Config `json:",omitempty"`
	Do     string  `json:",omitempty"`
}

// Sight is what a victim saw of the attacker: a connection that it accepted, a
// datagram, an echo request. Mark is the attacker's port, or the echo's
// sequence number.
type Sight struct {
	Kind   Kind
	Family Family
	Mark   uint16
}

// Attempt is what the attacker saw of one try.
type Attempt struct {
	Attack   string
	Phase    string // OrderOpen or OrderEnforce
	Sight           // what a victim would see of it
	Number   uint16
	Reached  bool // a handshake, a datagram or an echo came back
	Answered bool // anything came back, a reset too
	Over     bool // false where it only announces what is about to be tried
	Error    string
}

// Session is what an attacker, or a victim, saw of a connection that was opened
// while nothing was enforced: a line that was answered, or heard.
type Session struct {
	Attack string `json:",omitempty"` // the attacker's name for it; empty from a victim
	Family Family
	Phase  string
	Alive  bool
	Error  string `json:",omitempty"`
}

// Stage marks the beginning and the end of an attack.
type Stage struct {
	Attack string
	Phase  string
	Begin  bool
	Time   time.Time
}

// Samples are what shoppers measured of the requests that began since they were
// last told to cut.
type Samples struct {
	Micros []int64 // per request that was answered, in µs
	Failed int
	Error  string // one of the failures
}

// Report is what an actor says. Exactly one field is set, but for Late.
type Report struct {
	Ready   bool     `json:",omitempty"`
	Error   string   `json:",omitempty"`
	Sight   *Sight   `json:",omitempty"`
	Attempt *Attempt `json:",omitempty"`
	Stage   *Stage   `json:",omitempty"`
	Session *Session `json:",omitempty"`
	Samples *Samples `json:",omitempty"`
	Late    *Samples `json:",omitempty"` // with Samples: of requests that began before the cut before
	Done    string   `json:",omitempty"` // the order that is done
}

// Conn is a control connection, at either end. Send is safe for concurrent
// use; Receive is not.
type Conn struct {
	c   io.ReadWriteCloser
	dec *json.Decoder
	mu  sync.Mutex
	enc *json.Encoder
}

// NewConn speaks over c.
func NewConn(c io.ReadWriteCloser) *Conn {
	return &Conn{c: c, dec: json.NewDecoder(c), enc: json.NewEncoder(c)}
}

// Send writes one value.
func (c *Conn) Send(v any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.enc.Encode(v)
}

// Receive reads one value.
func (c *Conn) Receive(v any) error { return c.dec.Decode(v) }

// Close ends the connection and with it the actor.
func (c *Conn) Close() error { return c.c.Close() }
