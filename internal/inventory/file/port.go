package file

import (
	"strconv"

	"firebreak/internal/diag"
	"firebreak/internal/manifest"
	"firebreak/internal/netset"
)

// number reads a port number, 1 to 65535.
func number(o *manifest.Object, field string, diags *diag.List) (uint16, bool) {
	n := o.Field(field)
	if n == nil {
		diags.Errorf(o.Pos(o.Node), "bad-port", "%s is missing", field)
		return 0, false
	}
	v, err := strconv.ParseUint(n.Value, 10, 16)
	if err != nil || v == 0 {
		diags.Errorf(o.Pos(n), "bad-port", "%q is not a port number", n.Value).WithHelp("ports are 1 to 65535")
		return 0, false
	}
	return uint16(v), true
}

// protocol reads the protocol of a port; absent means TCP.
func protocol(o *manifest.Object, diags *diag.List) (netset.Protocol, bool) {
	switch v := o.Text("protocol"); v {
	case "", "TCP":
		return netset.TCP, true
	case "UDP":
		return netset.UDP, true
	case "SCTP":
		return netset.SCTP, true
	default:
		diags.Errorf(o.Pos(o.Field("protocol")), "bad-port", "protocol %q has no ports here", v).WithHelp("write TCP, UDP or SCTP")
		return 0, false
	}
}
