package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// thing is a resource that exists in the state only.
type thing struct {
	name   string
	body   body
	config *config
}

// Configure implements resource.ResourceWithConfigure.
func (t *thing) Configure(_ context.Context, q resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	t.config, _ = q.ProviderData.(*config)
}

// ValidateConfig implements resource.ResourceWithValidateConfig.
func (t *thing) ValidateConfig(_ context.Context, q resource.ValidateConfigRequest, r *resource.ValidateConfigResponse) {
	counted(t.body, q.Config.Raw, &r.Diagnostics)
}

// ModifyPlan implements resource.ResourceWithModifyPlan: a resource has the tags
// of the provider, too.
func (t *thing) ModifyPlan(_ context.Context, q resource.ModifyPlanRequest, r *resource.ModifyPlanResponse) {
	var all, own map[string]tftypes.Value
	if _, has := t.body.Attributes["tags_all"]; !has || t.config == nil || q.Plan.Raw.IsNull() || q.Plan.Raw.As(&all) != nil || !all["tags"].IsKnown() {
		return
	}
	tags := maps.Clone(t.config.tags)
	if tags == nil {
		tags = map[string]tftypes.Value{}
	}
	if err := all["tags"].As(&own); err != nil {
		return
	}
	maps.Copy(tags, own)
	all["tags_all"] = tftypes.NewValue(all["tags_all"].Type(), tags)
	r.Plan.Raw = tftypes.NewValue(q.Plan.Raw.Type(), all)
}

// counted looks whether blocks are there that must be, and no more than may be.
func counted(b body, raw tftypes.Value, to *diag.Diagnostics) {
	var all map[string]tftypes.Value
	if !raw.IsKnown() || raw.IsNull() || raw.As(&all) != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(b.Blocks)) {
		x := b.Blocks[name]
		var list []tftypes.Value
		switch v := all[name]; {
		case x.Nesting == "single" && !v.IsNull():
			list = []tftypes.Value{v}
		case x.Nesting != "single" && (!v.IsKnown() || v.As(&list) != nil):
			continue // dynamic, of what is not known yet
		}
		if x.Required && len(list) == 0 {
			to.AddError("Insufficient "+name+" blocks", "At least 1 \""+name+"\" block is required.")
		}
		if x.One && len(list) > 1 {
			to.AddError("Too many "+name+" blocks", "No more than 1 \""+name+"\" block is allowed.")
		}
		for _, v := range list {
			counted(x, v, to)
		}
	}
}

// Metadata implements resource.Resource.
func (t *thing) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = t.name
}

// Schema implements resource.Resource.
func (t *thing) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	r.Schema = schema.Schema{Attributes: attributes(t.body, false), Blocks: blocks(t.body)}
}

func attributes(b body, lax bool) map[string]schema.Attribute {
	out := map[string]schema.Attribute{}
	for name, a := range b.Attributes {
		must, may := a.Required && !lax, a.Optional || a.Required && lax
		switch t := a.value().(type) {
		case types.ListType:
			out[name] = schema.ListAttribute{Required: must, Optional: may, Computed: a.Computed, ElementType: t.ElemType}
		case types.SetType:
			out[name] = schema.SetAttribute{Required: must, Optional: may, Computed: a.Computed, ElementType: t.ElemType}
		case types.MapType:
			out[name] = schema.MapAttribute{Required: must, Optional: may, Computed: a.Computed, ElementType: t.ElemType}
		case types.ObjectType:
			out[name] = schema.ObjectAttribute{Required: must, Optional: may, Computed: a.Computed, AttributeTypes: t.AttrTypes}
		default:
			switch a.Type {
			case "number":
				out[name] = schema.NumberAttribute{Required: must, Optional: may, Computed: a.Computed}
			case "bool":
				out[name] = schema.BoolAttribute{Required: must, Optional: may, Computed: a.Computed}
			default:
				out[name] = schema.StringAttribute{Required: must, Optional: may, Computed: a.Computed}
			}
		}
	}
	return out
}

func blocks(b body) map[string]schema.Block {
	out := map[string]schema.Block{}
	for name, x := range b.Blocks {
		object := schema.NestedBlockObject{Attributes: attributes(x, false), Blocks: blocks(x)}
		switch x.Nesting {
		case "single": // it may be left out, and what it requires with it
			out[name] = schema.SingleNestedBlock{Attributes: attributes(x, true), Blocks: blocks(x)}
		case "set":
			out[name] = schema.SetNestedBlock{NestedObject: object}
		default:
			out[name] = schema.ListNestedBlock{NestedObject: object}
		}
	}
	return out
}

// Create implements resource.Resource: what AWS would give, is made up.
func (t *thing) Create(_ context.Context, q resource.CreateRequest, r *resource.CreateResponse) {
	raw, err := invented(t.name, q.Plan.Raw, nil)
	if err != nil {
		r.Diagnostics.AddError("stand-in", err.Error())
		return
	}
	r.State.Raw = raw
}

// Read implements resource.Resource.
func (*thing) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

// Update implements resource.Resource.
func (t *thing) Update(_ context.Context, q resource.UpdateRequest, r *resource.UpdateResponse) {
	raw, err := invented(t.name, q.Plan.Raw, nil)
	if err != nil {
		r.Diagnostics.AddError("stand-in", err.Error())
		return
	}
	r.State.Raw = raw
}

// Delete implements resource.Resource.
func (*thing) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

// counter tells things of one run from each other.
var counter atomic.Int64

// invented fills what is not known yet; of a data source what is null and
// computed, too. Ids look like AWS's.
func invented(kind string, raw tftypes.Value, source map[string]attribute) (tftypes.Value, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", kind, counter.Add(1), raw.String()))
	id := shortName(kind) + "-" + hex.EncodeToString(sum[:])[:17]
	if strings.HasSuffix(kind, "_role") || strings.HasSuffix(kind, "_profile") {
		id = strings.TrimPrefix(kind, "aws_") + "x" + hex.EncodeToString(sum[:])[:6]
	}
	return tftypes.Transform(raw, func(at *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
		name, nulls := "", source != nil
		if steps := at.Steps(); len(steps) > 0 {
			if n, ok := steps[len(steps)-1].(tftypes.AttributeName); ok {
				name = string(n)
			}
		}
		if v.IsKnown() && !(nulls && v.IsNull() && len(at.Steps()) == 1 && source[name].Computed) {
			return v, nil
		}
		switch {
		case v.Type().Is(tftypes.String) && name == "arn":
			return tftypes.NewValue(tftypes.String, "arn:aws:x:eu-west-1:111122223333:"+strings.TrimPrefix(kind, "aws_")+"/"+id), nil
		case v.Type().Is(tftypes.String) && (name == "id" || nulls && strings.HasSuffix(name, "id")):
			return tftypes.NewValue(tftypes.String, id), nil
		case v.Type().Is(tftypes.String) && name == "owner_id":
			return tftypes.NewValue(tftypes.String, "111122223333"), nil
		case v.Type().Is(tftypes.String) && name == "accept_status": // of a peering
			return tftypes.NewValue(tftypes.String, "active"), nil
		case !nulls && (v.Type().Is(tftypes.List{}) || v.Type().Is(tftypes.Set{})): // there is none, and AWS says so
			return tftypes.NewValue(v.Type(), []tftypes.Value{}), nil
		case v.Type().Is(tftypes.String) && !nulls:
			return tftypes.NewValue(tftypes.String, name+"-of-"+id), nil
		}
		return tftypes.NewValue(v.Type(), nil), nil
	})
}

func shortName(kind string) string {
	switch kind {
	case "aws_security_group":
		return "sg"
	case "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule":
		return "sgr"
	case "aws_vpc_peering_connection":
		return "pcx"
	case "aws_vpclattice_service":
		return "svc"
	case "aws_vpclattice_service_network":
		return "sn"
	case "aws_instance":
		return "i"
	case "aws_network_interface":
		return "eni"
	}
	return strings.ReplaceAll(strings.TrimPrefix(kind, "aws_"), "_", "-")
}
