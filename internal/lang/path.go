package lang

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ValidPathPattern returns nil if pattern is one that a rule may give for the
// paths of requests, and otherwise says what is wrong with it.
//
// A pattern speaks of the path as it was sent, without its query, byte by byte:
// case counts, and nothing is decoded. It begins with '/'. In it
//
//   - '*' stands for any run of bytes other than '/', possibly none, and may
//     be anywhere in a segment: /v*/item-* matches /v1/item- and not /v1/a/item-;
//   - a final segment that is exactly '*' also spans slashes: /a/* matches /a/,
//     /a/b and /a/b/c, and not /a; /* matches every path;
//   - a segment {name} stands for exactly one segment that is not empty; the
//     name (a letter or '_', then letters, digits, '_', '-') is for people;
//   - every other byte stands for itself. It is one that a path may have
//     (RFC 3986): a letter, a digit, one of -._~!$&'()+,;=:@ or '%' with two
//     hexadecimal digits.
//
// What no unambiguous path has cannot be in a pattern either: a query or
// fragment, an empty segment other than the last, a segment "." or "..", and
// percent-encoded slashes, backslashes and unreserved characters. See HTTP.
func ValidPathPattern(pattern string) error {
	if err := checkPath(pattern); err != nil {
		return err
	}
	segments := strings.Split(pattern[1:], "/")
	for i, s := range segments {
		name, braced := strings.CutPrefix(s, "{")
		switch {
		case s == "" && i < len(segments)-1:
			return errors.New("it has \"//\", about which servers disagree")
		case s == "." || s == "..":
			return fmt.Errorf("it has the segment %q, about which servers disagree", s)
		case strings.Contains(s, "**"):
			return errors.New("it has \"**\"; a final /* already stands for everything below")
		case braced && strings.HasSuffix(name, "}") && isVariable(name[:len(name)-1]):
		case strings.ContainsAny(s, "{}"):
			return errors.New("braces hold the name of one whole segment, as in /orders/{id}")
		}
	}
	return nil
}

// checkPath looks at the bytes of a pattern.
func checkPath(s string) error {
	if s == "" || s[0] != '/' {
		return errors.New("a path begins with '/'")
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '?' || c == '#':
			return fmt.Errorf("a path ends before %q: queries and fragments cannot be matched", c)
		case c == '%' && (len(s) < i+3 || !isHex(s[i+1]) || !isHex(s[i+2])):
			return errors.New("'%' must be followed by two hexadecimal digits")
		case c == '%':
			if err := checkEncoded(s[i : i+3]); err != nil {
				return err
			}
		case c == '\\':
			return errors.New("it has a backslash, about which servers disagree")
		case c >= 0x80:
			return errors.New("it has characters beyond ASCII, which are sent percent-encoded, like %C3%BC")
		case !isAlnum(c) && strings.IndexByte("/*{}%-._~!$&'()+,;=:@", c) < 0:
			return fmt.Errorf("%q can only be sent percent-encoded: write %%%02X", c, c)
		}
	}
	return nil
}

// checkEncoded looks at a percent-encoded byte. What need not be encoded is
// written as it is; servers disagree whether the two are one path.
func checkEncoded(s string) error {
	v, err := strconv.ParseUint(s[1:], 16, 8)
	switch c := byte(v); {
	case err != nil:
		return errors.New("'%' must be followed by two hexadecimal digits")
	case c == '/' || c == '\\':
		return fmt.Errorf("it has %q, about which servers disagree", s)
	case isAlnum(c) || strings.IndexByte("-._~", c) >= 0:
		return fmt.Errorf("it has %q, about which servers disagree: write %c as it is; paths that have %s meet every deny and no allow", s, c, s)
	}
	return nil
}

// isVariable reports whether s may stand between the braces of a pattern.
func isVariable(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c == '_' || isAlnum(c) && (i > 0 || c > '9') || c == '-' && i > 0) {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isHex(c byte) bool {
	return c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || c >= '0' && c <= '9'
}
