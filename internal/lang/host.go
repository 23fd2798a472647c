package lang

import (
	"errors"
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (r *reader) hosts(n *yaml.Node) []string {
	var out []string
	r.words(n, "hosts", "a host", func(n *yaml.Node, s string) {
		if host, ok := r.host(n, s, true); ok {
			out = append(out, host)
		}
	})
	return out
}

// host reads the name that a request is sent to, in lower case. It may be an
// IPv4 address, and a single word: both are sent as hosts.
func (r *reader) host(n *yaml.Node, s string, wildcard bool) (string, bool) {
	host := strings.TrimSuffix(strings.ToLower(s), ".")
	bare := host
	if wildcard {
		bare = strings.TrimPrefix(host, "*.")
	}
	if err := checkHost(bare); err != nil {
		r.errorf(n, "bad-host", "%q is no host: %v", shorten(s), err).
			WithHelp("a host is like orders.shop.example; in a rule also *.shop.example, which stands for one label or more before it")
		return "", false
	}
	return host, true
}

// fqdns reads the names of an External.
func (r *reader) fqdns(n *yaml.Node) []Word {
	var out []Word
	seen := map[string]bool{}
	r.words(n, "fqdns", "a name", func(n *yaml.Node, s string) {
		name := strings.TrimSuffix(strings.ToLower(s), ".")
		err := checkFQDN(strings.TrimPrefix(name, "*."))
		switch {
		case err != nil:
			r.errorf(n, "bad-fqdn", "%q is no FQDN: %v", shorten(s), err).
				WithHelp("an FQDN is like api.psp.example, or *.psp.example, which stands for one label or more before it")
		case seen[name]:
			r.errorf(n, "duplicate-name", "the External has the name %q twice", name).WithHelp("remove one")
		default:
			seen[name] = true
			out = append(out, Word{name, r.pos(n)})
		}
	})
	return out
}

// checkFQDN is checkHost for what is looked up in the public DNS: two labels or
// more, and no address.
func checkFQDN(s string) error {
	if err := checkHost(s); err != nil {
		return err
	}
	_, last, dotted := strings.Cut(s, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	switch _, err := netip.ParseAddr(s); {
	case err == nil:
		return errors.New("it is an address; write it under cidrs")
	case !dotted:
		return errors.New("it has no dot, so what it leads to depends on who asks")
	case strings.Trim(last, "0123456789") == "":
		return errors.New("its last label is a number")
	}
	return nil
}

// checkHost says what is wrong with a name in lower case.
func checkHost(s string) error {
	if len(s) > 253 {
		return errors.New("it is longer than 253 bytes")
	}
	for label := range strings.SplitSeq(s, ".") {
		switch {
		case strings.Contains(s, "://"):
			return errors.New("it is a URL; write the name alone")
		case strings.ContainsAny(label, ":["):
			return errors.New("it is written without port, and cannot be an IPv6 address")
		case strings.Contains(label, "*"):
			return errors.New("'*' can only be the whole first label")
		case strings.ContainsFunc(label, func(c rune) bool { return c >= 0x80 }):
			return errors.New("write its form in ASCII, which begins with xn--")
		case label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(c rune) bool { return !isAlnum(byte(c)) && c != '-' && c != '_' }):
			return errors.New("a label has 1 to 63 letters, digits or '-', and neither begins nor ends with '-'")
		}
	}
	return nil
}
