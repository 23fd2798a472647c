package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// The program is also the server and the client of its measurements: started
// with this variable set, it plays that role.
const roleEnv = "FIREBREAK_NETBENCH_ROLE"

// Ports of the servers. The policies permit the first classes of ports, and
// not the closed one.
const (
	portEcho   = 7001
	portOnce   = 7003
	portSink   = 7005
	portFlood  = 7007
	portClosed = 6999
)

const (
	messageBytes = 64
	bulkBytes    = 256 << 10
)

var errEnded = errors.New("the conversation ended")

// order is what a client is told to do.
type order struct {
	Do   string // "round", "once", "bulk", "flood", "probe"
	To   netip.AddrPort
	For  time.Duration
	Rate int // requests or connections per second; 0 means as many as possible
}

// answer is what came of it.
type answer struct {
	Err      string
	Requests int // completed
	Failed   int // connections refused or lost on the way; only counted by "flood"
	Bytes    uint64
	Elapsed  time.Duration
	P50, P99 time.Duration
}

// play is the whole life of a child. It ends when its standard input does.
func play(name string) int {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	var err error
	if name == "client" {
		err = client()
	} else {
		err = serveRole(name)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "netbench %s: %v\n", name, err)
		return 1
	}
	return 0
}

func serveRole(name string) error {
	roles := map[string]struct {
		port  uint16
		serve func(int)
	}{
		"echo": {portEcho, echo}, "once": {portOnce, once}, "sink": {portSink, sink},
		"flood": {portFlood, shut}, "closed": {portClosed, shut},
	}
	r, ok := roles[name]
	if !ok {
		return errors.New("no such role")
	}
	fd, err := listen(r.port)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	go func() { // ends with its parent, on a thread of its own
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	for {
		c, err := accept(fd)
		if err != nil {
			return err
		}
		r.serve(c)
	}
}

// echo answers every message until the other end leaves.
func echo(c int) {
	defer shut(c)
	if noDelay(c) != nil {
		return
	}
	b := make([]byte, messageBytes)
	for readFull(c, b) == nil && write(c, b) == nil {
	}
}

// once answers one message and closes.
func once(c int) {
	defer shut(c)
	var b [messageBytes]byte
	if readFull(c, b[:]) == nil {
		_ = write(c, b[:])
	}
}

// sink reads to the end and says how much that was.
func sink(c int) {
	defer shut(c)
	b := make([]byte, bulkBytes)
	total := uint64(0)
	for {
		n, err := read(c, b)
		if err != nil {
			return
		}
		if n == 0 {
			break
		}
		total += uint64(n)
	}
	_ = write(c, fmt.Appendf(nil, "%*d", messageBytes, total))
}

// client does what it is told, an order a line.
func client() error {
	exactTimers()
	fmt.Println("ready")
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	c := &clientState{lags: make([]uint32, 0, 1<<21)}
	for in.Scan() {
		var o order
		if err := json.Unmarshal(in.Bytes(), &o); err != nil {
			return err
		}
		a, err := c.do(o)
		if err != nil {
			a.Err = strings.TrimSpace(err.Error())
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
	return in.Err()
}
