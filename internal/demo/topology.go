package demo

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/demo/actor"
)

// player is a process of the demonstration: who it is and what part it plays.
type player struct {
	Name    string // the workload; several players may share one
	Service string // "" outside the estate
	Host    string
	Own     actor.Ends
	Serve   []actor.Port
	Calls   []actor.Call
	Rate    float64
}

func (p player) config() actor.Config {
	return actor.Config{Name: p.Name, Own: p.Own, Serve: p.Serve, Calls: p.Calls, Rate: p.Rate}
}

// The hosts of the estate, each a VPC of its own with an agent; outside plays
// the rest of the world and has none.
var estateHosts = []string{"web", "app", "data"}

const outside = "outside"

func ends(v4, v6 string) actor.Ends { return actor.Ends{V4: addr(v4), V6: addr(v6)} }

// The addresses are those of examples/three-tier/inventory.yaml; a test
// compares them.
var (
	storefront1   = ends("10.77.1.11", "fd77:0:0:1::11")
	storefront2   = ends("10.77.1.12", "fd77:0:0:1::12")
	orders1       = ends("10.77.2.11", "fd77:0:0:2::11")
	payments1     = ends("10.77.2.21", "fd77:0:0:2::21")
	ordersDB1     = ends("10.77.3.11", "fd77:0:0:3::11")
	cache1        = ends("10.77.3.21", "fd77:0:0:3::21")
	cardProcessor = ends("192.168.77.10", "fd99::a")
	shoppers      = ends("192.168.77.100", "fd99::64")
	stranger      = ends("192.168.77.66", "fd99::42")
)

// The ports. debugPort is open on orders and permitted to nobody.
const (
	webPort   = 8080
	debugPort = 9000
	dbPort    = 5432
	cachePort = 6379
	cardPort  = 443
	dnsPort   = 53
)

// shopRate is how many checkouts a second each storefront gets in each family.
const shopRate = 12

// players are everyone but the attacker, callees before callers.
func players() []player {
	lines := func(n uint16) actor.Port { return actor.Port{Kind: actor.Line, Number: n} }
	web := actor.Port{Kind: actor.HTTP, Number: webPort}
	post := func(to actor.Ends, path string) actor.Call {
		return actor.Call{Kind: actor.HTTP, To: to, Number: webPort, Path: path}
	}
	checkout := []actor.Call{post(orders1, "/api/v1/orders"), post(payments1, "/api/v1/payments")}
	return []player{
		{Name: "stranger", Host: outside, Own: stranger, Serve: []actor.Port{lines(cardPort), {Kind: actor.UDP, Number: dnsPort}, {Kind: actor.ICMP}}},
		{Name: "card-processor", Host: outside, Own: cardProcessor, Serve: []actor.Port{lines(cardPort)}},
		{Name: "orders-db-1", Service: "orders-db", Host: "data", Own: ordersDB1, Serve: []actor.Port{lines(dbPort)}},
		{Name: "cache-1", Service: "cache", Host: "data", Own: cache1, Serve: []actor.Port{lines(cachePort), {Kind: actor.UDP, Number: cachePort}}},
		{Name: "orders-1", Service: "orders", Host: "app", Own: orders1, Serve: []actor.Port{web, lines(debugPort)}, Calls: []actor.Call{
			{Kind: actor.UDP, To: cache1, Number: cachePort}, {Kind: actor.Line, To: ordersDB1, Number: dbPort},
		}},
		{Name: "payments-1", Service: "payments", Host: "app", Own: payments1, Serve: []actor.Port{web, lines(debugPort)}, Calls: []actor.Call{
			{Kind: actor.Line, To: cardProcessor, Number: cardPort},
		}},
		{Name: "storefront-1", Service: "storefront", Host: "web", Own: storefront1, Serve: []actor.Port{web}, Calls: checkout},
		{Name: "storefront-2", Service: "storefront", Host: "web", Own: storefront2, Serve: []actor.Port{web}, Calls: checkout},
		{Name: "shoppers", Host: outside, Own: shoppers, Rate: shopRate, Calls: []actor.Call{post(storefront1, "/checkout"), post(storefront2, "/checkout")}},
	}
}

// addresses returns the addresses of a host with the lengths of their subnets,
// without repetition.
func addresses(host string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range players() {
		for _, f := range actor.Families {
			bits := 24
			if f == 6 {
				bits = 64
			}
			if a := netip.PrefixFrom(p.Own.Of(f), bits); p.Host == host && !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// target is an attack before it is split by family.
type target struct {
	name    string
	to      string // a service; "" where it is an address
	ends    actor.Ends
	kind    actor.Kind
	numbers []uint16
	tries   int
}

// scanned are the ports that a scan tries: what people leave open.
var scanned = []uint16{21, 22, 23, 25, 80, 111, 443, 2375, 3000, 3306, 5000, dbPort, cachePort, webPort, 8443, debugPort, 9090, 9200, 10250, 11211, 27017}

// scan is every scanned port but the one that the storefront may speak to.
func scan(but uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(scanned), func(n uint16) bool { return n == but })
}

// targets are the attacks of a taken storefront. Neighbours in the list share
// no port of one workload, so that their drops are told apart.
func targets() []target {
	return []target{
		{"open debug port of orders", "orders", orders1, actor.Line, []uint16{debugPort}, 5},
		{"database of orders", "orders-db", ordersDB1, actor.Line, []uint16{dbPort}, 5},
		{"port scan of orders", "orders", orders1, actor.Line, scan(webPort), 1},
		{"port scan of payments", "payments", payments1, actor.Line, scan(webPort), 1},
		{"port scan of orders-db", "orders-db", ordersDB1, actor.Line, scan(0), 1},
		{"port scan of cache", "cache", cache1, actor.Line, scan(0), 1},
		{"datagrams to cache", "cache", cache1, actor.UDP, []uint16{cachePort}, 5},
		{"raw SYN to orders-db", "orders-db", ordersDB1, actor.SYN, []uint16{dbPort}, 5},
		{"outside by TCP", "", stranger, actor.Line, []uint16{cardPort}, 5},
		{"outside by UDP", "", stranger, actor.UDP, []uint16{dnsPort}, 5},
		{"outside by ICMP", "", stranger, actor.ICMP, nil, 5},
	}
}

// attack is a target in one family, with what the report says about it.
type attack struct {
	actor.Attack
	To      string
	Traffic string
}

// attacks returns every attack in both families, in the order in which they
// run.
func attacks() []attack {
	var out []attack
	for _, t := range targets() {
		for _, f := range actor.Families {
			a := attack{To: t.to, Traffic: traffic(t.kind, t.numbers), Attack: actor.Attack{
				Name: fmt.Sprintf("%s, %s", t.name, f), Family: f, Kind: t.kind,
				Target: t.ends.Of(f), Numbers: t.numbers, Tries: t.tries,
			}}
			if a.To == "" {
				a.To = a.Target.String()
			}
			out = append(out, a)
		}
	}
	return out
}

// attacker is who attacks: a process in the first storefront.
const (
	taken        = "storefront-1"
	takenService = "storefront"
	takenHost    = "web"
)

func attackerConfig() actor.Config {
	c := actor.Config{Name: "attacker", Own: storefront1}
	for _, a := range attacks() {
		c.Attacks = append(c.Attacks, a.Attack)
	}
	for _, f := range actor.Families {
		c.Hold = append(c.Hold, actor.Attack{
			Name: fmt.Sprintf("connection to orders-db opened before, %s", f), Family: f, Kind: actor.Line,
			Target: ordersDB1.Of(f), Numbers: []uint16{dbPort},
		})
	}
	return c
}

// traffic writes an attack's traffic as every other part of Firebreak does.
func traffic(kind actor.Kind, numbers []uint16) string {
	switch kind {
	case actor.ICMP:
		return "ICMP"
	case actor.UDP:
		return "UDP " + joined(numbers)
	default:
		return "TCP " + joined(numbers)
	}
}

func joined(numbers []uint16) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(int(n))
	}
	return strings.Join(words, ",")
}
