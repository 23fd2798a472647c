package istio

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbac "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	template "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"firebreak/internal/flow"
)

// seen is what Envoy sees of a connection or request.
type seen struct {
	principal string // of the peer's certificate; empty if it has shown none
	from      netip.Addr
	port      uint32
	request   *flow.Request
}

// pass runs a chain of RBAC filters, as Envoy does:
// envoyproxy.io/docs/envoy/latest/api-v3/config/rbac/v3/rbac.proto.
func pass(chain []*rbac.RBAC, s seen) bool {
	for _, r := range chain {
		if r == nil {
			continue
		}
		matched := false
		for _, p := range r.Policies {
			if policyMatches(p, s) {
				matched = true
			}
		}
		switch r.Action {
		case rbac.RBAC_ALLOW:
			if !matched {
				return false
			}
		case rbac.RBAC_DENY:
			if matched {
				return false
			}
		}
	}
	return true
}

func policyMatches(p *rbac.Policy, s seen) bool {
	return some(p.Permissions, func(x *rbac.Permission) bool { return permits(x, s) }) &&
		some(p.Principals, func(x *rbac.Principal) bool { return is(x, s) })
}

func some[T any](list []T, ok func(T) bool) bool {
	for _, x := range list {
		if ok(x) {
			return true
		}
	}
	return false
}

func all[T any](list []T, ok func(T) bool) bool { return !some(list, func(x T) bool { return !ok(x) }) }

func permits(p *rbac.Permission, s seen) bool {
	next := func(x *rbac.Permission) bool { return permits(x, s) }
	switch r := p.Rule.(type) {
	case *rbac.Permission_Any:
		return r.Any
	case *rbac.Permission_AndRules:
		return all(r.AndRules.Rules, next)
	case *rbac.Permission_OrRules:
		return some(r.OrRules.Rules, next)
	case *rbac.Permission_NotRule:
		return !next(r.NotRule)
	case *rbac.Permission_DestinationPort:
		return r.DestinationPort == s.port
	case *rbac.Permission_Header:
		return header(r.Header, s)
	case *rbac.Permission_UrlPath:
		return s.request != nil && text(r.UrlPath.GetPath(), s.request.Path)
	case *rbac.Permission_UriTemplate:
		var t template.UriTemplateMatchConfig
		if err := r.UriTemplate.TypedConfig.UnmarshalTo(&t); err != nil {
			panic(err)
		}
		return s.request != nil && templateMatches(t.PathTemplate, s.request.Path)
	}
	panic(fmt.Sprintf("a permission of kind %T", p.Rule))
}

func is(p *rbac.Principal, s seen) bool {
	next := func(x *rbac.Principal) bool { return is(x, s) }
	switch r := p.Identifier.(type) {
	case *rbac.Principal_Any:
		return r.Any
	case *rbac.Principal_AndIds:
		return all(r.AndIds.Ids, next)
	case *rbac.Principal_OrIds:
		return some(r.OrIds.Ids, next)
	case *rbac.Principal_NotId:
		return !next(r.NotId)
	case *rbac.Principal_Authenticated_:
		return s.principal != "" && text(r.Authenticated.PrincipalName, s.principal)
	case *rbac.Principal_FilterState:
		return s.principal != "" && text(r.FilterState.GetStringMatch(), s.principal)
	case *rbac.Principal_DirectRemoteIp:
		return within(r.DirectRemoteIp, s.from)
	case *rbac.Principal_Header:
		return header(r.Header, s)
	}
	panic(fmt.Sprintf("a principal of kind %T", p.Identifier))
}

func within(c *core.CidrRange, a netip.Addr) bool {
	p, err := netip.ParseAddr(c.AddressPrefix)
	if err != nil {
		panic(err)
	}
	return netip.PrefixFrom(p, int(c.PrefixLen.GetValue())).Masked().Contains(a)
}

// header compares a header; one that is not there matches nothing, not even
// when turned round.
func header(h *route.HeaderMatcher, s seen) bool {
	if s.request == nil {
		return false
	}
	value, there := s.request.Headers[strings.ToLower(h.Name)]
	switch h.Name {
	case ":method":
		value, there = s.request.Method, true
	case ":authority":
		value, there = s.request.Host, s.request.Host != ""
	}
	switch m := h.HeaderMatchSpecifier.(type) {
	case *route.HeaderMatcher_PresentMatch:
		return there == m.PresentMatch
	case *route.HeaderMatcher_StringMatch:
		return there && text(m.StringMatch, value)
	}
	panic(fmt.Sprintf("a header of kind %T", h.HeaderMatchSpecifier))
}

func text(m *matcher.StringMatcher, s string) bool {
	fold := func(x string) string {
		if m.IgnoreCase {
			return strings.ToLower(x)
		}
		return x
	}
	switch p := m.MatchPattern.(type) {
	case *matcher.StringMatcher_Exact:
		return fold(s) == fold(p.Exact)
	case *matcher.StringMatcher_Prefix:
		return strings.HasPrefix(fold(s), fold(p.Prefix))
	case *matcher.StringMatcher_Suffix:
		return strings.HasSuffix(fold(s), fold(p.Suffix))
	case *matcher.StringMatcher_SafeRegex:
		return regexp.MustCompile("^(?:" + p.SafeRegex.Regex + ")$").MatchString(s)
	}
	panic(fmt.Sprintf("a text of kind %T", m.MatchPattern))
}

// templateMatches follows Envoy's URI template matcher:
// envoyproxy.io/docs/envoy/latest/api-v3/extensions/path/match/uri_template/v3/uri_template_match.proto.
func templateMatches(t, path string) bool {
	const pchar = `a-zA-Z0-9\-._~%!$&'()+,;:@=`
	var b strings.Builder
	for i, s := range strings.Split(t, "/") {
		if i > 0 {
			b.WriteString("/")
		}
		switch s {
		case "*":
			b.WriteString("[" + pchar + "]+")
		case "**":
			b.WriteString("[" + pchar + "/]*")
		default:
			b.WriteString(regexp.QuoteMeta(s))
		}
	}
	return regexp.MustCompile("^" + b.String() + "$").MatchString(path)
}

func TestEvaluator(t *testing.T) {
	for path, want := range map[string]bool{"/a/x/b": true, "/a//b": false, "/a/x/y/b": false, "/a/x/": false} {
		if templateMatches("/a/*/b", path) != want {
			t.Errorf("/a/*/b %s: want %v", path, want)
		}
	}
	for path, want := range map[string]bool{"/a/": true, "/a/x/y": true, "/a": false} {
		if templateMatches("/a/**", path) != want {
			t.Errorf("/a/** %s: want %v", path, want)
		}
	}
}
