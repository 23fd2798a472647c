package diag

// Codes are those of docs/diagnostics.md, sorted: everything that is reported
// but the findings of check, which are lint.Codes.
var Codes = []string{
	"address-outside-estate", "aws-answer", "aws-scope", "bad-address", "bad-api-version", "bad-authority", "bad-cidr", "bad-default", "bad-effect", "bad-endpoint",
	"bad-fqdn", "bad-grpc", "bad-guardrail", "bad-header", "bad-host", "bad-http", "bad-inventory", "bad-label", "bad-manifest", "bad-method",
	"bad-name", "bad-path", "bad-port", "bad-principal", "bad-priority", "bad-protocol", "bad-quota", "bad-request", "bad-require", "bad-selector",
	"bad-sensitivity", "bad-source", "bad-stage", "bad-state", "bad-template", "bad-tier", "bad-time", "bad-time-zone", "bad-type", "bad-value",
	"bad-window", "capacity", "case-mismatch", "changed-artifact", "cidr-in-rule", "cluster-dns-closed", "contradictory-guardrails", "duplicate-estate",
	"duplicate-field", "duplicate-key", "duplicate-name", "exception-pierces-guardrail", "external-inside-estate", "guardrail-unproven",
	"guardrail-violated", "invalid-inventory", "istio-misread", "json-syntax", "lattice-misread", "live-aside", "live-misread", "mesh-config", "missing-cgroup", "missing-field", "needs-restart",
	"networkpolicy-misread", "networkpolicy-refused", "no-addresses", "no-cgroup2", "no-estate", "no-inventory", "no-reason", "not-a-document",
	"not-expressible", "not-rendered", "over-quota", "overlapping-zones", "port-not-everywhere", "priority-tie", "reserved-name", "result-changed",
	"selector-matches-absence", "selector-matches-nothing", "selector-value-matches-nothing", "shared-address", "shared-principal", "sources-disagree",
	"terraform-disagrees", "terraform-syntax", "terraform-unread", "too-involved", "too-large", "too-many-diagnostics", "traffic-gained",
	"traffic-lost", "unenforced", "unknown-field", "unknown-kind", "unknown-reference", "unknown-source", "unknown-target", "unknown-version",
	"unknown-workload-kind", "unreadable", "unreadable-file", "unusual-method", "widened", "yaml-syntax",
}
