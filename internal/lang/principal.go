package lang

import (
	"errors"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	trustDomain = regexp.MustCompile(`^[a-z0-9._-]{1,255}$`)
	spiffePath  = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)
	roleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
)

// principal reads the name of a principal. What looks like a SPIFFE ID, a role
// or a service account must be one; anything else is a name as it stands.
func (r *reader) principal(n *yaml.Node) (string, bool) {
	s, ok := r.text(n, "the principal")
	if !ok {
		return "", false
	}
	if err := checkPrincipal(s); err != nil {
		r.errorf(n, "bad-principal", "%q is no principal: %v", shorten(s), err).
			WithHelp("a principal is like spiffe://trust.domain/path, arn:aws:iam::123456789012:role/NAME, system:serviceaccount:NAMESPACE:NAME")
		return "", false
	}
	return s, true
}

func checkPrincipal(s string) error {
	lower := strings.ToLower(s)
	switch {
	case strings.HasPrefix(lower, "spiffe:"):
		return checkSPIFFE(s)
	case strings.HasPrefix(lower, "arn:"):
		if strings.Contains(s, ":assumed-role/") {
			return errors.New("it is a session; name the role that it assumes")
		}
		if !roleARN.MatchString(s) {
			return errors.New("an ARN must be that of an IAM role, with twelve digits for the account")
		}
	case strings.HasPrefix(lower, "system:serviceaccount:"):
		account := strings.Split(strings.TrimPrefix(s, "system:serviceaccount:"), ":")
		if len(account) != 2 || checkHost(account[0]) != nil || checkHost(account[1]) != nil || strings.ToLower(s) != s {
			return errors.New("a service account has a namespace and a name, both in lower case")
		}
	}
	return nil
}

// checkSPIFFE follows the SPIFFE ID standard, and demands a path: without one
// an ID names a whole trust domain, not a workload.
func checkSPIFFE(s string) error {
	rest, ok := strings.CutPrefix(s, "spiffe://")
	domain, path, slash := strings.Cut(rest, "/")
	switch {
	case !ok || len(s) > 2048 || !trustDomain.MatchString(domain):
		return errors.New("a SPIFFE ID is spiffe://, a trust domain in lower case, and a path")
	case !slash:
		return errors.New("without a path it names a trust domain, not a workload")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if !spiffePath.MatchString(segment) || segment == "." || segment == ".." {
			return errors.New("each segment of its path has letters, digits, '-', '_' or '.', and is neither \".\" nor \"..\"")
		}
	}
	return nil
}
