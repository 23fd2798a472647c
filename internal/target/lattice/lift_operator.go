package lattice

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// family says how the values of an operator are compared.
type family uint8

const (
	byText family = iota
	byTextFolded
	byPattern
	byARN
	byNumber
	byDate
	byBool
	byNull
)

// operator is a condition operator, taken apart.
// docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type operator struct {
	name     string
	family   family
	negated  bool
	order    string // "", "<", "<=", ">", ">="
	ifExists bool
	all, any bool // ForAllValues, ForAnyValue
}

var operators = map[string]operator{
	"stringequals":              {family: byText},
	"stringnotequals":           {family: byText, negated: true},
	"stringequalsignorecase":    {family: byTextFolded},
	"stringnotequalsignorecase": {family: byTextFolded, negated: true},
	"stringlike":                {family: byPattern},
	"stringnotlike":             {family: byPattern, negated: true},
	"arnequals":                 {family: byARN}, // the same as ArnLike
	"arnlike":                   {family: byARN},
	"arnnotequals":              {family: byARN, negated: true},
	"arnnotlike":                {family: byARN, negated: true},
	"numericequals":             {family: byNumber},
	"numericnotequals":          {family: byNumber, negated: true},
	"numericlessthan":           {family: byNumber, order: "<"},
	"numericlessthanequals":     {family: byNumber, order: "<="},
	"numericgreaterthan":        {family: byNumber, order: ">"},
	"numericgreaterthanequals":  {family: byNumber, order: ">="},
	"dateequals":                {family: byDate},
	"datenotequals":             {family: byDate, negated: true},
	"datelessthan":              {family: byDate, order: "<"},
	"datelessthanequals":        {family: byDate, order: "<="},
	"dategreaterthan":           {family: byDate, order: ">"},
	"dategreaterthanequals":     {family: byDate, order: ">="},
	"bool":                      {family: byBool},
	"null":                      {family: byNull},
}

// parseOperator reads an operator; names are the same in upper and lower case.
// ok is false for what is none that is understood.
func parseOperator(name string) (o operator, ok bool) {
	base := strings.ToLower(name)
	base, all := strings.CutPrefix(base, "forallvalues:")
	base, some := strings.CutPrefix(base, "foranyvalue:")
	base, exists := strings.CutSuffix(base, "ifexists")
	o, ok = operators[base]
	if all && some || exists && o.family == byNull {
		return o, false
	}
	o.name, o.all, o.any, o.ifExists = name, all, some, exists
	return o, ok
}

// missing says whether the condition holds where the request has no such key.
func (o operator) missing(values []string) bool {
	switch {
	case o.family == byNull:
		return slices.Contains(values, "true")
	case o.any:
		return false
	}
	return o.all || o.ifExists || o.negated
}

// holds says whether the condition holds of a value that the request has. known
// is false where the values cannot be compared with it.
func (o operator) holds(value string, values []string) (is, known bool) {
	if o.family == byNull {
		return slices.Contains(values, "false"), true
	}
	found := false
	for _, v := range values {
		one, ok := o.one(value, v)
		if !ok {
			return false, false
		}
		found = found || one
	}
	return found != o.negated, true
}

func (o operator) one(value, v string) (is, known bool) {
	if strings.Contains(v, "${") {
		return false, false
	}
	switch o.family {
	case byText:
		return value == v, true
	case byTextFolded, byBool:
		return strings.EqualFold(value, v), true
	case byPattern, byARN:
		return wild(v, value), true
	case byNumber:
		a, err1 := strconv.ParseFloat(value, 64)
		b, err2 := strconv.ParseFloat(v, 64)
		return inOrder(o.order, a, b), err1 == nil && err2 == nil
	}
	return false, false
}

func inOrder(order string, a, b float64) bool {
	switch order {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	}
	return a == b
}

// wild matches '*' with any run of characters and '?' with any one.
func wild(pattern, text string) bool {
	star, mark, i := -1, 0, 0
	for j := 0; j < len(text); {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == text[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// instant reads a date as IAM takes it: ISO 8601, or seconds since 1970.
func instant(v string) (time.Time, bool) {
	if len(v) <= len("2006") { // a year, which is none of the forms below
		return time.Time{}, false
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Unix(n, 0).UTC(), true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
