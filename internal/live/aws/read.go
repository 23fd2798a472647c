package aws

import (
	"errors"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/live/jsontree"
)

// Read reads the answers of the named files of a folder, those of other files
// are passed over. The answers are never nil; errors in the list are of files
// that cannot be read, that are cut off or that hold something else.
func Read(fsys fs.FS, names []string) (*Answers, diag.List) {
	a := &Answers{answered: map[string]bool{}, broken: map[string]bool{}}
	var diags diag.List
	r := newReading(a)
	for _, name := range slices.Sorted(slices.Values(names)) {
		q, ok := ask(path.Base(name))
		if !ok {
			continue
		}
		a.any = true
		n, at, err := jsontree.Read(fsys, name)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
				diags.Errorf(at, "unreadable-file", "this file cannot be read: %v", err)
				a.spoil(q)
				continue
			}
			diags.Errorf(at, "json-syntax", "this is not JSON: %v", err).WithHelp("ask again, and keep all of the answer")
			a.spoil(q)
			continue
		}
		if err := r.take(q, n); err != nil {
			at = n.Pos
			var t *typeError
			if errors.As(err, &t) {
				at = t.pos
			}
			diags.Errorf(at, "aws-answer", "this is no answer to %s: %v", q.verb, err)
			a.spoil(q)
			continue
		}
		a.note(q)
		r.page(q, n)
	}
	for _, p := range r.pages {
		if p.open == p.count || p.last > p.count {
			diags.Errorf(p.at, "aws-answer", "pages of the answer to %s are missing", p.q.verb).
				WithHelp("lay all of them into the folder, as %s.1.json, %s.2.json …", p.q, p.q)
			a.spoil(p.q)
		}
	}
	r.attach()
	diags.Sort()
	return a, diags
}

// Reads reports whether a file of that name is taken for an answer.
func Reads(name string) bool {
	_, ok := ask(path.Base(name))
	return ok
}

// query is what a file answers.
type query struct {
	verb, id string
	page     int // 1 where the name gives none
}

// String is the beginning of the file's name.
func (q query) String() string {
	if q.id == "" {
		return q.verb
	}
	return q.verb + "." + q.id
}

func (a *Answers) note(q query) { a.answered[q.verb], a.answered[q.String()] = true, true }

func (a *Answers) spoil(q query) { a.broken[q.verb], a.broken[q.String()] = true, true }

// verbs are the calls that are read, with whether the file names what they are
// about.
func verbs() map[string]bool {
	return map[string]bool{
		"describe-security-groups": false, "describe-security-group-rules": false, "describe-network-interfaces": false,
		"describe-instances": false, "describe-vpcs": false, "describe-subnets": false, "describe-network-acls": false,
		"describe-route-tables": false, "describe-vpc-peering-connections": false, "describe-transit-gateway-vpc-attachments": false,
		"describe-transit-gateway-attachments": false,
		"describe-managed-prefix-lists":        false, "get-managed-prefix-list-entries": true,
		"list-services": false, "get-service": true, "list-service-networks": false, "get-service-network": true,
		"list-service-network-service-associations": false, "list-service-network-vpc-associations": false,
		"get-service-network-vpc-association": true, "list-service-network-resource-associations": false,
		"list-listeners": true, "list-target-groups": false, "list-targets": true, "get-auth-policy": true,
		"list-roles": false, "get-role": true, "list-role-policies": true, "get-role-policy": true,
		"list-attached-role-policies": true, "get-policy-version": true,
		"list-instance-profiles": false, "get-instance-profile": true,
		"list-pod-identity-associations": true, "describe-pod-identity-association": true,
	}
}

// ask takes a file's name apart: VERB[.ID][.PAGE].json. A page is a number; an id
// never is.
func ask(base string) (q query, ok bool) {
	rest, ok := strings.CutSuffix(base, ".json")
	if !ok {
		return query{}, false
	}
	q.verb, rest, _ = strings.Cut(rest, ".")
	if _, ok = verbs()[q.verb]; !ok {
		return query{}, false
	}
	q.id, q.page = rest, 1
	head, tail := "", rest
	if i := strings.LastIndex(rest, "."); i >= 0 {
		head, tail = rest[:i], rest[i+1:]
	}
	if n, err := strconv.Atoi(tail); err == nil && n > 0 && n < 1<<20 && !twelve(tail) {
		q.id, q.page = head, n
	}
	return q, true
}

// twelve reports whether a number is an account's.
func twelve(s string) bool { return len(s) == 12 }

// pages are those of one answer. A page with a token says that another follows.
type pages struct {
	q                 query
	count, open, last int
	at                diag.Pos
}

func (r *reading) page(q query, n *jsontree.Node) {
	p := r.pages[q.String()]
	if p == nil {
		p = &pages{q: q, at: n.Pos}
		r.pages[q.String()] = p
	}
	p.count++
	p.last = max(p.last, q.page)
	for _, token := range []string{"NextToken", "nextToken", "Marker"} {
		if n.Field(token).String() != "" {
			p.open++
			break
		}
	}
}

// document is the text of a policy document of IAM: the API gives it with percent
// signs, the command line as an object.
func document(n *jsontree.Node) string {
	if n == nil || n.Kind == jsontree.Null {
		return ""
	}
	if n.Kind != jsontree.String {
		return jsontree.Encode(n)
	}
	if strings.HasPrefix(n.Text, "%7B") || strings.HasPrefix(n.Text, "%7b") {
		if plain, err := url.QueryUnescape(n.Text); err == nil {
			return plain
		}
	}
	return n.Text
}
