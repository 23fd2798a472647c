//go:build !unix

package actor

import "syscall"

// reuseAddress does nothing where there are no namespaces to attack in.
func reuseAddress(_, _ string, _ syscall.RawConn) error { return nil }
