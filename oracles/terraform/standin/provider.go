package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

//go:embed schema.json
var schemaText []byte

// body is what a resource, a data source or a block takes.
type body struct {
	Attributes map[string]attribute `json:"attributes"`
	Blocks     map[string]body      `json:"blocks"`
	Nesting    string               `json:"nesting"` // of a block: list, set, single
}

type attribute struct {
	Type                         string `json:"type"`
	Required, Optional, Computed bool
}

type standIn struct {
	Managed map[string]body `json:"resources"`
	Sources map[string]body `json:"data"`
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
func (*standIn) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

// Resources implements provider.Provider.
func (p *standIn) Resources(context.Context) []func() resource.Resource {
	var out []func() resource.Resource
	for _, name := range slices.Sorted(maps.Keys(p.Managed)) {
		out = append(out, func() resource.Resource { return &thing{name, p.Managed[name]} })
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
