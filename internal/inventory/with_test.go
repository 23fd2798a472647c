package inventory

import (
	"slices"
	"testing"
)

func TestWithReplacesOrAdds(t *testing.T) {
	base := &Snapshot{Workloads: []Workload{{Name: "b"}, {Name: "d"}}, Frontends: []Frontend{{Name: "f"}}}
	for _, c := range []struct {
		name string
		want []string
	}{{"a", []string{"a", "b", "d"}}, {"b", []string{"b", "d"}}, {"c", []string{"b", "c", "d"}}, {"e", []string{"b", "d", "e"}}} {
		got := base.With(Workload{Name: c.name, Host: "h"})
		var names, hosts []string
		for _, w := range got.Workloads {
			if names = append(names, w.Name); w.Host != "" {
				hosts = append(hosts, w.Name)
			}
		}
		if !slices.Equal(names, c.want) || !slices.Equal(hosts, []string{c.name}) || len(got.Frontends) != 1 {
			t.Errorf("with %s: %v, changed %v", c.name, names, hosts)
		}
		if len(base.Workloads) != 2 || base.Workloads[0].Host+base.Workloads[1].Host != "" {
			t.Fatalf("with %s, the base is %+v", c.name, base)
		}
	}
	if got := (*Snapshot)(nil).With(Workload{Name: "a"}); len(got.Workloads) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestPrincipals(t *testing.T) {
	for _, c := range []struct {
		w    Workload
		want []string
	}{
		{Workload{}, nil},
		{Workload{Principal: "p"}, []string{"p"}},
		{Workload{Principal: "b", Labels: map[string]string{"spiffe/id": "a", "aws/role": "b"}}, []string{"a", "b"}},
		{Workload{Namespace: "n", Labels: map[string]string{"k8s/serviceaccount": "s"}}, []string{"system:serviceaccount:n:s"}},
		{Workload{Namespace: "n", Labels: map[string]string{"k8s/serviceaccount": "s", "k8s/namespace": "m"}}, []string{"system:serviceaccount:m:s"}},
		{Workload{Labels: map[string]string{"k8s/serviceaccount": "s"}}, nil},
	} {
		if got := c.w.Principals(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.w, got, c.want)
		}
	}
}
