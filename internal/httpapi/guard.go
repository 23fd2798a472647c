package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// policy of the page: everything from here, nothing from elsewhere, no frames.
// Styles may stand on elements because the map places what it draws.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard protects people's browsers from other pages: it answers only to the
// names under which this server is meant to be found, so that a foreign name
// that resolves to this address is no way in.
type guard struct {
	names   map[string]bool
	literal bool // listens on every address: any address will do, but no name
}

// newGuard permits loopback and the host that was asked for.
func newGuard(listen string, addr net.Addr) guard {
	g := guard{names: map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}}
	if host, _, err := net.SplitHostPort(listen); err == nil && host != "" {
		g.names[strings.ToLower(host)] = true
	}
	if host, _, err := net.SplitHostPort(addr.String()); err == nil {
		g.names[host] = true
		a, err := netip.ParseAddr(host)
		g.literal = err == nil && a.IsUnspecified()
	}
	return g
}

// permits judges a Host header.
func (g guard) permits(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if g.names[host] {
		return true
	}
	_, err := netip.ParseAddr(host)
	return g.literal && err == nil
}

// wrap refuses foreign hosts and sets the headers that every answer carries.
func (g guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !g.permits(r.Host) {
			writeError(w, http.StatusMisdirectedRequest, "this server does not answer to the name "+r.Host+"; use the address it listens on")
			return
		}
		next.ServeHTTP(w, r)
	})
}
