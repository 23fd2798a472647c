package lang

import (
	"math"
	"slices"
	"strings"
)

// The patterns of texts. They are looser than the reader where a pattern could
// not be read by people any more.
const (
	namePattern     = `^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`
	portNamePattern = `^[a-z0-9-]*[a-z][a-z0-9-]*$`
	portPattern     = `^([Ii][Cc][Mm][Pp]|[0-9]+(-[0-9]+)?/([Tt][Cc][Pp]|[Uu][Dd][Pp]|[Ss][Cc][Tt][Pp])|[a-z0-9-]*[a-z][a-z0-9-]*)$`
	cidrPattern     = `^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)/[0-9]{1,3}$`
	fqdnPattern     = `^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\.?$`
	hostPattern     = `^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$`
	pathPattern     = `^/[^?#]*$`
	grpcPattern     = `^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*/(\*|[A-Za-z_][A-Za-z0-9_]*)$`
	hoursPattern    = `^ *[0-2][0-9]:[0-5][0-9] *- *[0-2][0-9]:[0-5][0-9] *$`
	momentPattern   = `^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2})$`
	addressPattern  = `^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)$`
)

// documents has the form of every kind of document. It is never written to.
var documents = map[string]*form{
	"Estate": document("Estate", "Where workloads come from, and what is ours: one in a directory.", estateForm(), true),
	"Zone": document("Zone", "A trust zone: workloads grouped by business purpose, sensitivity and environment.", object("",
		can("select", selecting("Which workloads, as a Kubernetes label selector: tier=data,env in (prod,stage). The zone unassigned has none.")),
		can("sensitivity", oneWord("How bad it is if what is in the zone leaks.", sensitivities)),
		can("scope", list("The regulations that it is subject to.", text(""))),
		can("stage", oneWord("How far the zone's default has been promoted; observe if not given.", stages)),
		can("default", oneWord("What holds where no rule decides; deny if not given.", effects[:Pass]))), true),
	"Service": document("Service", "Workloads that serve the same ports.", object("",
		must("select", selecting("Which workloads, as a Kubernetes label selector.")),
		can("ports", list("What they serve.", servicePortForm(anyCase(withPorts))))), true),
	"External": document("External", "A named peer outside the estate.", externalForm(), true),
	"Policy": document("Policy", "Rules with one tier.", object("",
		can("tier", oneWord("The order in which rules decide; application if not given.", tiers)),
		can("priority", whole("Of the platform tier only: lower decides first.", 0, math.MaxInt32)),
		can("stage", oneWord("The stage of rules that have none of their own; observe if not given.", stages)),
		must("rules", list("What may talk to what.", entryForm()))), true),
	"Guardrail": document("Guardrail", "A property that must hold whatever the rules say: proven always, and in its stage decided before any rule.", guardrailForm(), true),
	"Exception": document("Exception", "An allow that was approved and ends; decided before the application tier.", object("",
		must("from", endForm("Who opens the conversation.")),
		must("to", endForm("With whom.")),
		can("ports", portsForm()),
		can("http", httpForm()),
		must("ticket", text("Where it was asked for.")),
		must("approver", text("Who approved it.")),
		must("expires", matching("From this instant on it is absent: 2027-01-31T18:00:00Z.", momentPattern)),
		can("reason", text("Why it is needed."))), true),
	"Case": document("Case", "Tests that travel with the policy; check runs them.", object("",
		can("inForce", truth("Judge the policy in force instead of the one to come.")),
		must("expect", list("What the policy must say.", expectationForm()))), true),
	"Workload": document("Workload", "A thing that talks, in an inventory file.", object("",
		can("addresses", list("Its addresses.", matching("An IP address.", addressPattern))),
		can("ports", list("What it listens on.", servicePortForm(withPorts))),
		can("principal", text("Its cryptographic or cloud name: SPIFFE ID, role, service account.")),
		can("host", text("Where it runs."))), false),
	"Frontend": document("Frontend", "A virtual address in front of workloads, in an inventory file.", frontendForm(), false),
	"Network": document("Network", "A part of the estate's addresses, such as a VPC or a subnet, in an inventory file.", object("",
		can("cidrs", list("Its addresses.", matching("A CIDR.", cidrPattern))),
		can("within", text("Of a subnet, the network that it is a part of.")),
		can("peers", list("The networks that it exchanges packets with directly.", text("")))), false),
}

// document is what all kinds have around their spec. The spec of an inventory
// document may be missing, and its metadata has a namespace.
func document(kind, about string, spec *form, policy bool) *form {
	metadata := object("What names the document.",
		must("name", text("Unique in its namespace.")),
		can("namespace", text("")))
	if kind == "Workload" || kind == "Network" {
		metadata.fields = append(metadata.fields,
			can("labels", &form{about: "What policy selects by, and what is known of a network.", shape: aDictionary, item: text("")}))
	}
	if policy {
		metadata = policyMetadata()
	}
	return object(about,
		can("apiVersion", oneWord("The version of the language; may be left out.", []string{APIVersion})),
		must("kind", oneWord("What the document describes.", []string{kind})),
		must("metadata", metadata),
		member{"spec", policy, spec})
}

func policyMetadata() *form {
	name := matching("Unique among documents of this kind.", namePattern)
	return object("What names the document.",
		must("name", name),
		can("owner", text("Who answers for it.")),
		can("labels", &form{about: "For other tools; they mean nothing to policy."}),
		can("annotations", &form{about: "For tools. " + AcceptKey + ": \"CODE: REASON\" accepts findings about the document."}))
}

func estateForm() *form {
	source := object("One source; a path is relative to the directory.",
		can("kube", text("A folder of Kubernetes manifests.")),
		can("file", text("A file of Workload, Frontend and Network documents.")),
		can("terraform", text("A plan or a state as terraform show -json prints it, or a folder of Terraform's files.")),
		can("aws", text("A folder of answers of the AWS command line.")),
		can("cluster", matching("The Kubernetes cluster that the manifests are of, or whose identities count.", namePattern))).oneOf("kube", "file", "terraform", "aws")
	mapping := object("How a raw label becomes one that policy speaks of.",
		must("from", text("The raw label; a prefix tag: or label: says where it comes from.")),
		must("to", text("The label that policy speaks of.")),
		can("map", &form{about: "Raw value: label value. What is not in it stays as it is.", shape: aDictionary, item: text("")}),
		can("authority", oneWord("Who may set the raw label; tag (anybody who may edit it) if not given.", authorities)))
	return object("",
		can("inventory", list("Where workloads come from: all of these together.", source)),
		can("networks", list("Our own networks. An address in them that no workload owns is unknown, not external.", matching("A CIDR.", cidrPattern))),
		can("labels", list("How raw labels become those that policy speaks of.", mapping)),
		can("targets", list("Where the policy is to be enforced.", matching("", namePattern))),
		can("quotas", &form{about: "Limits of platforms that were raised for this estate: target: {word: number}. firebreak targets lists the words.", shape: aDictionary,
			item: &form{shape: aDictionary, item: whole("What was granted.", 1, math.MaxInt32)}}))
}

func servicePortForm(protocols []string) *form {
	return object("A port.",
		can("name", matching("Rules and Cases may call the port so.", portNamePattern)),
		must("port", whole("Its number.", 1, 65535)),
		can("protocol", oneWord("TCP if not given.", protocols)))
}

func anyCase(words []string) []string {
	out := slices.Clone(words)
	for _, w := range words {
		out = append(out, strings.ToLower(w))
	}
	return out
}

func externalForm() *form {
	return object("",
		can("fqdns", list("Its names.", matching("Like api.psp.example, or *.psp.example for whatever lies below.", fqdnPattern))),
		can("cidrs", list("Its addresses.", matching("A CIDR.", cidrPattern))),
		can("reason", text("Why it is there."))).anyOf("fqdns", "cidrs")
}

func frontendForm() *form {
	port := object("A port of the frontend.",
		can("name", text("")),
		must("port", whole("Its number.", 1, 65535)),
		can("targetPort", text("The port of the workloads, by name or number; the same if not given.")),
		can("protocol", oneWord("TCP if not given.", withPorts)))
	to := object("What stands behind it.",
		can("service", matching("The name of a Service.", namePattern)),
		can("workloads", list("The names of workloads.", text("")))).oneOf("service", "workloads")
	return object("",
		can("addresses", list("Its addresses.", matching("An IP address.", addressPattern))),
		can("ports", list("", port)),
		must("to", to),
		can("rewrites", oneWord("Which end it rewrites; destination if not given.", []string{"source", "destination", "both"})))
}

// endForm is one end of a rule.
func endForm(about string) *form {
	return object(about, ends()...).oneOf("service", "zone", "external", "select", "principal", "any", "cidr").called("end")
}

func ends() []member {
	return []member{
		can("service", matching("The workloads of a Service, by its name.", namePattern)),
		can("zone", matching("The workloads of a Zone, by its name.", namePattern)),
		can("external", matching("An External, by its name.", namePattern)),
		can("select", selecting("Workloads, as a Kubernetes label selector.")),
		can("principal", text("Workloads with that SPIFFE ID, role or service account.")),
		can("any", oneWord("Everything but built-ins.", []string{"true"})),
		can("cidr", matching("Addresses without a name: warned of; declare an External instead.", cidrPattern)),
	}
}

// caseEndForm is one end of an expectation, which may also be one workload or
// one address.
func caseEndForm(about string) *form {
	fields := slices.DeleteFunc(ends(), func(m member) bool { return m.name == "cidr" })
	fields = append(fields,
		can("workload", text("One workload, by its name.")),
		can("ip", matching("One address.", addressPattern)))
	return object(about, fields...).oneOf("service", "zone", "external", "select", "principal", "any", "workload", "ip").called("case-end")
}

func portsForm() *form {
	return list("Which traffic; all of it if not given.", matching("Like 5432/TCP, 8000-8080/TCP, icmp, or the name of a port of the destination.", portPattern)).called("ports")
}

func ruleForm() *form {
	return object("A rule.",
		must("name", matching("Unique in its policy.", namePattern)),
		must("effect", oneWord("What the rule says. pass leaves the platform tier.", effects)),
		can("stage", oneWord("How far the rule has been promoted; the policy's if not given.", stages)),
		must("from", endForm("Who opens the conversation.")),
		must("to", endForm("With whom.")),
		can("ports", portsForm()),
		can("http", httpForm()),
		can("require", oneWord("The peer's principal must be proven cryptographically. Of an allow only.", []string{"mtls"})),
		can("when", windowForm()),
		can("reason", text("Why it is there.")),
		can("owner", text("Who answers for it; the policy's owner if not given.")))
}

func expectationForm() *form {
	return object("An expectation.",
		must("from", caseEndForm("Who opens the conversation.")),
		must("to", caseEndForm("With whom.")),
		can("port", matching("Like 5432/TCP, icmp, or the name of a port of the destination; all traffic if not given.", portPattern)),
		can("http", requestForm()),
		can("at", matching("At this instant: 2027-01-31T18:00:00Z.", momentPattern)),
		can("mtls", truth("false: the peer proves nothing.")),
		must("effect", oneWord("What must become of it.", effects[:Pass])),
		can("inForce", truth("Judge the policy in force instead of the one to come.")))
}

// httpForm is what a rule says about requests.
func httpForm() *form {
	values := either("The values that it may have, or true if it only has to be there.", list("", text("")), &form{shape: aTruth})
	return list("The requests that are meant: any of these.", object("Requests that meet every field.",
		can("methods", list("HTTP methods; any if not given.", matching("", "^[A-Z0-9!#$%&'*+.^_`|~-]+$"))),
		can("paths", list("Patterns of paths; any if not given.", matching("* is any run of characters but /, a last segment * also spans slashes, {x} is one segment.", pathPattern))),
		can("hosts", list("Names of the host; any if not given.", matching("Like orders.shop.example or *.shop.example.", hostPattern))),
		can("headers", &form{about: "Headers that there must be.", shape: aDictionary, item: values}),
		can("grpc", list("gRPC methods, instead of methods and paths.", matching("Like shop.v1.Orders/Place or shop.v1.Orders/*.", grpcPattern)))).
		anyOf("methods", "paths", "hosts", "headers", "grpc")).called("http")
}

// requestForm is one request that a Case asks about.
func requestForm() *form {
	return either("A request: POST /api/v1/orders.",
		matching("", `^ *[^ ]+ +/[^ ?#]* *$`),
		object("",
			must("method", text("")),
			must("path", matching("Without its query.", pathPattern)),
			can("host", matching("", hostPattern)),
			can("headers", &form{shape: aDictionary, item: text("")})))
}

func windowForm() *form {
	return object("When it holds; always if not given.",
		can("hours", matching("Like 06:00-22:00; the end is not part of it. All day if not given.", hoursPattern)),
		can("days", list("Every day if not given.", oneWord("", []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}))),
		can("timeZone", text("As in the IANA database: Europe/Berlin. UTC if not given."))).anyOf("hours", "days")
}

func guardrailForm() *form {
	endOrList := func(about string) *form {
		return either(about, endForm(""), list("", endForm("")))
	}
	only := object("One end is guarded; the other lists the only peers that it may have.",
		must("to", endOrList("What is guarded, or the list of what may be reached.")),
		must("from", endOrList("The list of who may come, or what is guarded.")),
		can("ports", portsForm()),
		can("http", httpForm()))
	only.asItWas = true // what is guarded reads better first
	return object("",
		can("stage", oneWord("How far it has been promoted as a rule; observe if not given. It is proven in every stage.", stages)),
		can("never", object("No conversation from here to there.",
			must("from", endForm("Who must not open it.")),
			must("to", endForm("With whom.")),
			can("ports", portsForm()),
			can("http", httpForm()))),
		can("only", only),
		can("must", object("What every allow rule must have.",
			must("rule", object("Which rules: those that speak of some conversation between these ends.",
				can("from", endForm("")),
				can("to", endForm("")))),
			must("have", list("", oneWord("", ruleHas))))),
		can("controls", list("Which demands of which standards it meets.", text("")))).oneOf("never", "only", "must")
}
