package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

//go:embed schema.json
var schemaText []byte

// body is what a resource, a data source or a block takes.
type body struct {
	Attributes map[string]attribute `json:"attributes"`
	Blocks     map[string]body      `json:"blocks"`
	Nesting    string               `json:"nesting"`  // of a block: list, set, single
	Required   bool                 `json:"required"` // of a block
	One        bool                 `json:"one"`      // no more than one of a block
}

type attribute struct {
	Type                         string               `json:"type"`
	Of                           map[string]attribute `json:"of"` // of objects
	Required, Optional, Computed bool
}

// value is the type of the attribute's values. Those of objects in lists and sets
// may be written as blocks, as those of the real provider.
func (a attribute) value() attr.Type {
	fields := map[string]attr.Type{}
	for name, x := range a.Of {
		fields[name] = x.value()
	}
	inner := map[string]attr.Type{"string": types.StringType, "number": types.NumberType, "bool": types.BoolType, "object": types.ObjectType{AttrTypes: fields}}
	outer, of, _ := strings.Cut(strings.TrimSuffix(a.Type, ")"), "(")
	switch outer {
	case "list":
		return types.ListType{ElemType: inner[of]}
	case "set":
		return types.SetType{ElemType: inner[of]}
	case "map":
		return types.MapType{ElemType: inner[of]}
	}
	return inner[outer]
}

type standIn struct {
	Managed map[string]body `json:"resources"`
	Sources map[string]body `json:"data"`
}

// config is what the provider block says.
type config struct {
	tags map[string]tftypes.Value // that every resource has
}

func newProvider() provider.Provider {
	var p standIn
	if err := json.Unmarshal(schemaText, &p); err != nil {
		panic(err) // it is built in
	}
	return &p
}

// Metadata implements provider.Provider.
func (*standIn) Metadata(_ context.Context, _ provider.MetadataRequest, r *provider.MetadataResponse) {
	r.TypeName, r.Version = "aws", "6.25.0"
}

// Schema implements provider.Provider.
func (*standIn) Schema(_ context.Context, _ provider.SchemaRequest, r *provider.SchemaResponse) {
	r.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"region": schema.StringAttribute{Optional: true}, "profile": schema.StringAttribute{Optional: true},
			"allowed_account_ids": schema.SetAttribute{Optional: true, ElementType: types.StringType},
		},
		Blocks: map[string]schema.Block{"default_tags": schema.ListNestedBlock{NestedObject: schema.NestedBlockObject{
			Attributes: map[string]schema.Attribute{"tags": schema.MapAttribute{Optional: true, ElementType: types.StringType}}}}},
	}
}

// Configure implements provider.Provider.
func (*standIn) Configure(_ context.Context, q provider.ConfigureRequest, r *provider.ConfigureResponse) {
	c := &config{}
	r.ResourceData = c
	var all map[string]tftypes.Value
	var blocks []tftypes.Value
	if q.Config.Raw.As(&all) != nil || all["default_tags"].As(&blocks) != nil || len(blocks) == 0 {
		return
	}
	var block map[string]tftypes.Value
	if blocks[0].As(&block) == nil && block["tags"].IsKnown() {
		_ = block["tags"].As(&c.tags)
	}
}

// Resources implements provider.Provider.
func (p *standIn) Resources(context.Context) []func() resource.Resource {
	var out []func() resource.Resource
	for _, name := range slices.Sorted(maps.Keys(p.Managed)) {
		out = append(out, func() resource.Resource { return &thing{name: name, body: p.Managed[name]} })
	}
	return out
}

// DataSources implements provider.Provider.
func (p *standIn) DataSources(context.Context) []func() datasource.DataSource {
	var out []func() datasource.DataSource
	for _, name := range slices.Sorted(maps.Keys(p.Sources)) {
		out = append(out, func() datasource.DataSource { return &source{name, p.Sources[name]} })
	}
	return out
}
