package main

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// source is a data source whose answers are made up.
type source struct {
	name string
	body body
}

// Metadata implements datasource.DataSource.
func (s *source) Metadata(_ context.Context, _ datasource.MetadataRequest, r *datasource.MetadataResponse) {
	r.TypeName = s.name
}

// Schema implements datasource.DataSource.
func (s *source) Schema(_ context.Context, _ datasource.SchemaRequest, r *datasource.SchemaResponse) {
	r.Schema = schema.Schema{Attributes: dataAttributes(s.body), Blocks: dataBlocks(s.body)}
}

func dataAttributes(b body) map[string]schema.Attribute {
	out := map[string]schema.Attribute{}
	for name, a := range b.Attributes {
		switch t := a.value().(type) {
		case types.ListType:
			out[name] = schema.ListAttribute{Required: a.Required, Optional: a.Optional, Computed: a.Computed, ElementType: t.ElemType}
		case types.SetType:
			out[name] = schema.SetAttribute{Required: a.Required, Optional: a.Optional, Computed: a.Computed, ElementType: t.ElemType}
		case types.MapType:
			out[name] = schema.MapAttribute{Required: a.Required, Optional: a.Optional, Computed: a.Computed, ElementType: t.ElemType}
		case types.ObjectType:
			out[name] = schema.ObjectAttribute{Required: a.Required, Optional: a.Optional, Computed: a.Computed, AttributeTypes: t.AttrTypes}
		default:
			switch a.Type {
			case "number":
				out[name] = schema.NumberAttribute{Required: a.Required, Optional: a.Optional, Computed: a.Computed}
			case "bool":
				out[name] = schema.BoolAttribute{Required: a.Required, Optional: a.Optional, Computed: a.Computed}
			default:
				out[name] = schema.StringAttribute{Required: a.Required, Optional: a.Optional, Computed: a.Computed}
			}
		}
	}
	return out
}

func dataBlocks(b body) map[string]schema.Block {
	out := map[string]schema.Block{}
	for name, x := range b.Blocks {
		object := schema.NestedBlockObject{Attributes: dataAttributes(x), Blocks: dataBlocks(x)}
		switch x.Nesting {
		case "single":
			out[name] = schema.SingleNestedBlock{Blocks: dataBlocks(x)}
		case "set":
			out[name] = schema.SetNestedBlock{NestedObject: object}
		default:
			out[name] = schema.ListNestedBlock{NestedObject: object}
		}
	}
	return out
}

// Read implements datasource.DataSource.
func (s *source) Read(_ context.Context, q datasource.ReadRequest, r *datasource.ReadResponse) {
	raw, err := invented(s.name, q.Config.Raw, s.body.Attributes)
	if err != nil {
		r.Diagnostics.AddError("stand-in", err.Error())
		return
	}
	if s.name == "aws_iam_policy_document" {
		if raw, err = documented(raw); err != nil {
			r.Diagnostics.AddError("stand-in", err.Error())
			return
		}
	}
	r.State.Raw = raw
}

// documented has the document in json.
func documented(raw tftypes.Value) (tftypes.Value, error) {
	text, err := document(raw)
	if err != nil {
		return raw, err
	}
	all := fields(raw)
	all["json"] = tftypes.NewValue(tftypes.String, text)
	all["minified_json"] = tftypes.NewValue(tftypes.String, text)
	return tftypes.NewValue(raw.Type(), all), nil
}
