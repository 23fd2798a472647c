package awssg

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// An estate has some ten thousand rules, all of the same shape. Their text is put
// together here, as hclwrite would format it, in a hundredth of the time; tests
// compare the two.

// attr is an attribute of a block, whose value is written as it stands.
type attr struct{ name, value string }

// quote writes a text as a string of HCL.
func quote(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '$' || c == '%' {
			return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
		}
	}
	return `"` + s + `"`
}

func number(n int) string { return strconv.Itoa(n) }

// aligned appends lines of names and values, with all equal signs in one column.
func aligned(b []byte, indent string, attrs []attr) []byte {
	width := 0
	for _, a := range attrs {
		width = max(width, utf8.RuneCountInString(a.name))
	}
	for _, a := range attrs {
		b = append(append(b, indent...), a.name...)
		b = append(b, strings.Repeat(" ", width-utf8.RuneCountInString(a.name))...)
		b = append(append(append(b, " = "...), a.value...), '\n')
	}
	return b
}
