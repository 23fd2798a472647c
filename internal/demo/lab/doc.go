// Package lab builds small networks out of what every Linux kernel has:
// network namespaces as hosts, veth pairs as cables, one router between them,
// and a cgroup subtree per host for its processes. The demonstration, the
// kernel tests and the benchmarks run in one.
//
// Nothing in the caller's own namespace is touched except that named
// namespaces appear in /run/netns. Everything that a lab makes carries its
// prefix and a mark, so that Clean finds what a killed process left behind and
// never takes what belongs to somebody else:
//
//	namespaces   /run/netns/PREFIX-HOST, marked by the alias of their loopback
//	cgroups      CGROUP2/PREFIX, marked by an extended attribute
//	lock         /run/firebreak/lab-PREFIX.lock, held while the lab lives
//
// A typical use:
//
//	l, err := lab.New("fbtest")
//	defer l.Close()
//	web, err := l.AddHost("web", netip.MustParsePrefix("10.1.1.11/24"), netip.MustParsePrefix("fd01:1::11/64"))
//	app, err := l.AddHost("app", netip.MustParsePrefix("10.1.2.11/24"), netip.MustParsePrefix("fd01:2::11/64"))
//	cg, err := web.Group("storefront-1")     // a cgroup below the host's
//	cmd := exec.Command("ping", "-c1", "10.1.2.11")
//	err = web.Start(cg, cmd)                 // in web's namespace and that cgroup from its first instruction
//	err = app.Do(func() error { … })         // this goroutine's sockets are made in app's namespace
package lab
