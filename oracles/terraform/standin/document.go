package main

import (
	"encoding/json"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// document is what aws_iam_policy_document makes of its blocks. What is a list of
// one it writes without the list.
func document(raw tftypes.Value) (string, error) {
	root := fields(raw)
	out := map[string]any{"Version": "2012-10-17"}
	if v := text(root["version"]); v != "" {
		out["Version"] = v
	}
	if v := text(root["policy_id"]); v != "" {
		out["Id"] = v
	}
	var list []any
	for _, s := range items(root["statement"]) {
		list = append(list, statement(fields(s)))
	}
	out["Statement"] = list
	data, err := json.Marshal(out)
	return string(data), err
}

func statement(s map[string]tftypes.Value) map[string]any {
	out := map[string]any{"Effect": "Allow"}
	for from, to := range map[string]string{"effect": "Effect", "sid": "Sid"} {
		if v := text(s[from]); v != "" {
			out[to] = v
		}
	}
	for from, to := range map[string]string{"actions": "Action", "not_actions": "NotAction"} {
		if v := texts(s[from], as); v != nil {
			out[to] = v
		}
	}
	for from, to := range map[string]string{"resources": "Resource", "not_resources": "NotResource"} {
		if v := texts(s[from], variable); v != nil {
			out[to] = v
		}
	}
	for from, to := range map[string]string{"principals": "Principal", "not_principals": "NotPrincipal"} {
		all := map[string]any{}
		for _, p := range items(s[from]) {
			f := fields(p)
			all[text(f["type"])] = texts(f["identifiers"], variable)
		}
		if len(all) == 1 && all["*"] == "*" {
			out[to] = "*"
		} else if len(all) > 0 {
			out[to] = all
		}
	}
	conditions := map[string]map[string]any{}
	for _, c := range items(s["condition"]) {
		f := fields(c)
		test := text(f["test"])
		if conditions[test] == nil {
			conditions[test] = map[string]any{}
		}
		conditions[test][text(f["variable"])] = texts(f["values"], variable)
	}
	if len(conditions) > 0 {
		out["Condition"] = conditions
	}
	return out
}

func fields(v tftypes.Value) map[string]tftypes.Value {
	var out map[string]tftypes.Value
	if v.IsKnown() && !v.IsNull() {
		_ = v.As(&out)
	}
	return out
}

func items(v tftypes.Value) []tftypes.Value {
	var out []tftypes.Value
	if v.IsKnown() && !v.IsNull() {
		_ = v.As(&out)
	}
	return out
}

func text(v tftypes.Value) string {
	var out string
	if v.IsKnown() && !v.IsNull() {
		_ = v.As(&out)
	}
	return out
}

// texts is one text, or several; nil where there are none.
func texts(v tftypes.Value, of func(string) string) any {
	var out []string
	for _, x := range items(v) {
		out = append(out, of(text(x)))
	}
	switch len(out) {
	case 0:
		return nil
	case 1:
		return out[0]
	}
	return out
}

func as(s string) string { return s }

// variable writes variables of IAM, which are &{…} in Terraform, as IAM does.
func variable(s string) string { return strings.ReplaceAll(s, "&{", "${") }
