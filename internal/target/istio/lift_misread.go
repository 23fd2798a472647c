package istio

import "firebreak/internal/diag"

// misread warns of policies that do something else than they look like.
func (l *lifter) misread() {
	ambient := l.ambient()
	for _, a := range l.authz {
		if a.broken != "" || a.dryRun || len(a.targets) > 0 {
			continue
		}
		at := diag.Pos{File: a.File, Line: a.ref.Line}
		paths, http, ported := a.speaks()
		if paths && !l.mesh.normalizes {
			l.diags.Warnf(at, "istio-misread", "%s speaks of paths, which can be written in other ways (//, %%2e, %%2f) that it does not mean", a.ref.Policy).
				WithHelp("let the mesh rewrite them: pathNormalization DECODE_AND_MERGE_SLASHES in its configuration (ConfigMap istio); see %s", normalPage)
		}
		if http && !ported && a.action == "DENY" {
			l.diags.Warnf(at, "istio-misread", "%s denies requests and names no ports: on every port it denies what is no HTTP, too", a.ref.Policy).
				WithHelp("name the ports of the requests; see %s", policyPage)
		}
		if http && ambient && l.some(a.subject, func(k *kind) bool { return k.ambient }) {
			does := "its ALLOW never matches"
			if a.action == "DENY" {
				does = "it denies whatever the requests are"
			}
			l.diags.Warnf(at, "istio-misread", "%s speaks of requests, and ztunnel sees none: %s", a.ref.Policy, does).
				WithHelp("attach the policy to a waypoint by targetRefs, and let ztunnel admit only that waypoint; see %s", ambientPage)
		}
	}
}

// speaks reports whether a policy has rules about paths, about anything of
// HTTP, and, in all that are about HTTP, ports.
func (a *authorization) speaks() (paths, http, ported bool) {
	ported = true
	for _, r := range a.rules {
		for _, o := range r.to {
			paths = paths || len(o["paths"])+len(o["notPaths"]) > 0
			if len(o["hosts"])+len(o["notHosts"])+len(o["methods"])+len(o["notMethods"])+len(o["paths"])+len(o["notPaths"]) > 0 {
				http = true
				ported = ported && len(o["ports"]) > 0
			}
		}
	}
	return paths, http, ported
}
