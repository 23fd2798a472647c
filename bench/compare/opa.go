package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// opaInputs are the questions as the library's own values, so that no time
// goes into converting them.
func opaInputs(e *estate) []ast.Value {
	var out []ast.Value
	for _, q := range e.questions {
		out = append(out, ast.NewObject(
			[2]*ast.Term{ast.StringTerm("from"), ast.StringTerm(serviceName(q.from))},
			[2]*ast.Term{ast.StringTerm("fromZone"), ast.StringTerm(zoneName(zoneOf(q.from)))},
			[2]*ast.Term{ast.StringTerm("to"), ast.StringTerm(serviceName(q.to))},
			[2]*ast.Term{ast.StringTerm("toZone"), ast.StringTerm(zoneName(zoneOf(q.to)))},
			[2]*ast.Term{ast.StringTerm("port"), ast.StringTerm(fmt.Sprint(q.port))},
		))
	}
	return out
}

// opa makes a judge of a prepared query for a boolean.
func opa(e *estate, name, about string, options ...func(*rego.Rego)) (*judge, error) {
	ctx := context.Background()
	query, err := rego.New(append(options, rego.Query("data.fb.decision"))...).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("opa: %w", err)
	}
	inputs := opaInputs(e)
	return &judge{name: name, about: about, ask: func(i int) bool {
		set, err := query.Eval(ctx, rego.EvalParsedInput(inputs[i]))
		if err != nil || len(set) != 1 {
			panic(fmt.Sprintf("opa: %v, %v", set, err))
		}
		return set[0].Expressions[0].Value == true
	}}, nil
}

// decision is what Rego makes of allows and denies.
const decision = "package fb\n\ndefault decision := false\n\ndecision if {\n\tallowed\n\tnot denied\n}\n\n"

// byOPAIndex writes every rule as one of Rego's, in the form that its rule
// index is made for: equalities between the input and constants.
func byOPAIndex(e *estate) (*judge, error) {
	var b strings.Builder
	b.WriteString(decision)
	for _, x := range e.rules {
		head := "allowed"
		if !x.allow {
			head = "denied"
		}
		fmt.Fprintf(&b, "%s if {\n\t%s\n\t%s\n\tinput.port == \"%d\"\n}\n\n", head, opaEnd("from", x.from, x.fromZone), opaEnd("to", x.to, x.toZone), x.port)
	}
	return opa(e, "OPA, indexed rules", "a Rego rule for each rule, found by its rule index; prepared query, input already parsed", rego.Module("p.rego", b.String()))
}

func opaEnd(end string, i int, zone bool) string {
	if zone {
		return fmt.Sprintf("input.%sZone == %q", end, zoneName(i))
	}
	return fmt.Sprintf("input.%s == %q", end, serviceName(i))
}

// byOPAData writes every permitted conversation out as data beforehand, as the
// map does, so that one look-up decides.
func byOPAData(e *estate) (*judge, error) {
	data := map[string]any{}
	for q := range e.permitted() {
		nested(nested(data, serviceName(q.from)), serviceName(q.to))[fmt.Sprint(q.port)] = true
	}
	store := inmem.NewFromObjectWithOpts(map[string]any{"permitted": data}, inmem.OptReturnASTValuesOnRead(true))
	module := "package fb\n\ndefault decision := false\n\ndecision if data.permitted[input.from][input.to][input.port]\n"
	return opa(e, "OPA, one look-up", "every permitted conversation written out beforehand as data; prepared query, input already parsed", rego.Module("p.rego", module), rego.Store(store))
}

func nested(in map[string]any, key string) map[string]any {
	out, ok := in[key].(map[string]any)
	if !ok {
		out = map[string]any{}
		in[key] = out
	}
	return out
}
