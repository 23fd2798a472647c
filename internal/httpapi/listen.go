package httpapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// listenHTTP opens the HTTP port. Nobody has to log in, so it stays on this
// machine unless that is asked for.
func listenHTTP(addr string, allowRemote bool) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, setupError("--listen %q: want ADDRESS:PORT, like %s", addr, DefaultListen)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, setupError("--listen %q: %q is no port between 0 and 65535", addr, port)
	} else if n == 0 {
		port = "0"
	}
	if !isLoopback(host) && !allowRemote {
		return nil, setupError("--listen %s: not a loopback address, and anyone who reaches it could read all traffic without logging in; use 127.0.0.1, or add --allow-remote if something else guards it", addr)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, setupError("%s is taken: another program listens there; stop it, or choose another port with --listen 127.0.0.1:0 (0 takes any free one)", addr)
	case errors.Is(err, syscall.EACCES):
		return nil, setupError("%s: not permitted; choose a port above 1023 with --listen", addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, setupError("%s: no interface of this machine has that address; choose another with --listen", addr)
	case err != nil:
		return nil, setupError("--listen %s: %v", addr, err)
	}
	return l, nil
}

// isLoopback reports whether a host surely is this machine alone.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// wireSocket is the unix socket for agents. Only its owner may connect.
type wireSocket struct {
	*net.UnixListener
	path string
	self os.FileInfo // of the socket file, to remove no other
}

// maxSocketPath is what a unix socket's address can hold.
const maxSocketPath = 107

// listenWire opens the socket. One that a dead server left is replaced; one on
// which a server listens is left alone. The socket has its permissions before
// it has its name.
func listenWire(path string) (*wireSocket, error) {
	if err := checkFree(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, setupError("--wire %s: %v; choose a place you may write to", path, bare(err))
	}
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	if len(temporary) > maxSocketPath {
		return nil, setupError("--wire %s: the path is too long for a socket; choose one of at most %d bytes", path, maxSocketPath-8)
	}
	_ = os.Remove(temporary)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, setupError("--wire %s: %v; choose a place you may write to", path, bare(err))
	}
	l.SetUnlinkOnClose(false)
	s := &wireSocket{UnixListener: l, path: path}
	if err := s.publish(temporary); err != nil {
		l.Close()
		_ = os.Remove(temporary)
		return nil, setupError("--wire %s: %v", path, bare(err))
	}
	return s, nil
}

// publish gives the socket its permissions and then its name.
func (s *wireSocket) publish(temporary string) (err error) {
	if err = os.Chmod(temporary, 0o600); err != nil {
		return err
	}
	if s.self, err = os.Lstat(temporary); err != nil {
		return err
	}
	return os.Rename(temporary, s.path)
}

// checkFree refuses a path at which something lives.
func checkFree(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return setupError("--wire %s: %v", path, bare(err))
	case info.Mode().Type() != fs.ModeSocket:
		return setupError("--wire %s: a file that is no socket is there; move it away or choose another path", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return setupError("--wire %s: another server listens there; stop it or choose another path", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
		return setupError("--wire %s: cannot tell whether a server listens there: %v", path, bare(err))
	}
	return nil
}

// close ends listening and removes the socket if it is still ours.
func (s *wireSocket) close() error {
	err := s.UnixListener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if now, e := os.Lstat(s.path); e == nil && os.SameFile(now, s.self) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// bare leaves out the operation and path that errors of os and net repeat.
func bare(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
