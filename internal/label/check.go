package label

import (
	"fmt"
	"strings"
)

// The prefixes of the labels that inventories set by themselves. Their values
// are names given by platforms (an ARN, a SPIFFE ID), not by Kubernetes' rules.
var builtinPrefixes = []string{"aws", "cloud", "k8s", "net", "spiffe"}

// The longest that Kubernetes lets names, prefixes and values be, and our own
// bound for the values of built-in labels.
const (
	maxName         = 63
	maxPrefix       = 253
	maxBuiltinValue = 2048
)

// IsBuiltin reports whether the key has a prefix that is reserved for labels
// set by inventories: aws/, cloud/, k8s/, net/ or spiffe/.
func IsBuiltin(key string) bool {
	for _, p := range builtinPrefixes {
		if strings.HasPrefix(key, p+"/") {
			return true
		}
	}
	return false
}

// CheckKey returns nil if key is a label key by Kubernetes' rules: an optional
// DNS prefix and a slash, then at most 63 letters, digits, '-', '_', '.',
// beginning and ending with a letter or digit.
func CheckKey(key string) error {
	name := key
	if i := strings.IndexByte(key, '/'); i >= 0 {
		name = key[i+1:]
		if !isSubdomain(key[:i]) {
			return fmt.Errorf("%q is no label key: what stands before '/' must be a DNS name in lower case", shorten(key))
		}
	}
	if name == "" || !isName(name) {
		return fmt.Errorf("%q is no label key: at most %d letters, digits, '-', '_' or '.', beginning and ending with a letter or digit", shorten(key), maxName)
	}
	return nil
}

// CheckValue returns nil if value is a label value by Kubernetes' rules: empty,
// or at most 63 letters, digits, '-', '_', '.', beginning and ending with a
// letter or digit. Built-in keys take any value without spaces and symbols of
// the selector syntax.
func CheckValue(key, value string) error {
	if IsBuiltin(key) {
		if len(value) > maxBuiltinValue || strings.ContainsAny(value, symbols+" \t\r\n") {
			return fmt.Errorf("%q is no value for the label %q", shorten(value), shorten(key))
		}
		return nil
	}
	if value != "" && !isName(value) {
		return fmt.Errorf("%q is no label value: at most %d letters, digits, '-', '_' or '.', beginning and ending with a letter or digit", shorten(value), maxName)
	}
	return nil
}

func isName(s string) bool {
	if len(s) > maxName || !isAlnum(s[0]) || !isAlnum(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func isSubdomain(s string) bool {
	if s == "" || len(s) > maxPrefix || s != strings.ToLower(s) {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || !isAlnum(part[0]) || !isAlnum(part[len(part)-1]) {
			return false
		}
		for i := range len(part) {
			if c := part[i]; !isAlnum(c) && c != '-' {
				return false
			}
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
