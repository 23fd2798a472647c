package lang

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
)

// schemaID is the name of the schema. Nothing is fetched from there.
const schemaID = "https://firebreak.dev/v1alpha1/schema.json"

// Schema returns the JSON Schema (2020-12) of one document of any kind, as
// indented JSON with a line break at its end. What the schema refuses, Parse
// (or the inventory's reader) refuses too; they find more, such as names that
// nothing has.
func Schema() []byte {
	var branches []any
	defs := schemas{}
	kinds := slices.Sorted(maps.Keys(documents))
	for _, kind := range kinds {
		defs[kind] = defs.of(documents[kind])
		branches = append(branches, map[string]any{
			"if":   map[string]any{"properties": map[string]any{"kind": map[string]any{"const": kind}}, "required": []string{"kind"}},
			"then": map[string]any{"$ref": "#/$defs/" + kind},
		})
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         schemaID,
		"title":       "Firebreak " + APIVersion,
		"description": "A document of a policy directory or an inventory file.",
		"type":        "object",
		"required":    []string{"kind"},
		"properties":  map[string]any{"kind": map[string]any{"enum": kinds, "description": "What the document describes."}},
		"allOf":       branches,
		"$defs":       defs,
	})
	if err != nil {
		return nil // maps of texts and numbers always have a JSON form
	}
	return out.Bytes()
}

// schemas are those that have a name, by name.
type schemas map[string]any

// of returns the schema of what may stand at a place. Of a form with a name it
// is a reference, so that what many places share is written once.
func (defs schemas) of(f *form) map[string]any {
	if f.name == "" {
		return defs.whole(f)
	}
	if defs[f.name] == nil {
		shared := *f
		shared.about = ""
		defs[f.name] = defs.whole(&shared)
	}
	s := map[string]any{"$ref": "#/$defs/" + f.name}
	if f.about != "" {
		s["description"] = f.about
	}
	return s
}

func (defs schemas) whole(f *form) map[string]any {
	s := map[string]any{}
	switch f.shape {
	case aText:
		textSchema(s, f)
	case aNumber:
		s["type"], s["minimum"], s["maximum"], s["pattern"] = []string{"integer", "string"}, f.lo, f.hi, "^[0-9]+$"
	case aTruth:
		s["enum"] = []any{true, false, "true", "false"}
	case aList:
		s["type"], s["minItems"], s["items"] = "array", 1, defs.of(f.item)
	case aDictionary:
		s["type"], s["additionalProperties"] = "object", defs.of(f.item)
	case anObject:
		if len(f.choices) > 0 {
			defs.choices(s, f)
		} else {
			defs.object(s, f)
		}
	case eitherOf:
		var any []map[string]any
		for _, one := range f.either {
			any = append(any, defs.of(one))
		}
		s["anyOf"] = any
	}
	if f.about != "" {
		s["description"] = f.about
	}
	return s
}

// textSchema also takes numbers and truth values, which are text to the reader,
// unless the pattern takes none.
func textSchema(s map[string]any, f *form) {
	if len(f.words) > 0 {
		words := []any{}
		for _, w := range f.words {
			words = append(words, w)
			if w == "true" {
				words = append(words, true)
			}
		}
		s["enum"] = words
		return
	}
	pattern := f.pattern
	if pattern == "" {
		pattern = `\S`
	}
	types := []string{"string"}
	if takes(pattern, "1") {
		types = append(types, "number")
	}
	if takes(pattern, "true") {
		types = append(types, "boolean")
	}
	s["type"], s["maxLength"], s["pattern"] = types, maxText, pattern
}

func takes(pattern, text string) bool {
	found, err := regexp.MatchString(pattern, text)
	return found && err == nil
}

func (defs schemas) object(s map[string]any, f *form) {
	properties, required := map[string]any{}, []string{}
	for _, m := range f.fields {
		properties[m.name] = defs.of(m.form)
		if m.required {
			required = append(required, m.name)
		}
	}
	s["type"], s["properties"], s["additionalProperties"] = "object", properties, false
	if len(required) > 0 {
		s["required"] = required
	}
	if len(f.needOneOf) > 0 {
		s["oneOf"] = eachRequired(f.needOneOf)
	}
	if len(f.needAnyOf) > 0 {
		s["anyOf"] = eachRequired(f.needAnyOf)
	}
}

// choices tells the choices apart by their field.
func (defs schemas) choices(s map[string]any, f *form) {
	var all []any
	values := map[string][]string{}
	for _, c := range f.choices {
		has := map[string]any{"required": []string{c.field}}
		condition := map[string]any{"not": has}
		if c.value != "" {
			has["properties"] = map[string]any{c.field: map[string]any{"const": c.value}}
			condition = has
			values[c.field] = append(values[c.field], c.value)
		}
		all = append(all, map[string]any{"if": condition, "then": defs.of(c.form)})
	}
	properties := map[string]any{}
	for name, words := range values {
		properties[name] = map[string]any{"enum": words}
	}
	s["type"], s["properties"], s["allOf"] = "object", properties, all
}

func eachRequired(names []string) []any {
	var out []any
	for _, name := range names {
		out = append(out, map[string]any{"required": []string{name}})
	}
	return out
}
