package lattice

import (
	"firebreak/internal/plan"
	"firebreak/internal/target"
)

const quotas = "https://docs.aws.amazon.com/vpc-lattice/latest/ug/quotas.html"

// The limits that AWS raises for nobody.
const (
	maxPolicy  = 10_000 // bytes of a document: kilobytes are read as the smaller ones, which PutAuthPolicy once took
	maxForward = 10     // target groups of a forward action
	maxWeight  = 999    // of a target group in a forward action
)

// The Estate's words for what AWS raises.
const (
	servicesPerNetwork  = "services-per-network"
	servicesPerRegion   = "services-per-region"
	vpcsPerNetwork      = "vpcs-per-network"
	listenersPerService = "listeners-per-service"
	targetsPerGroup     = "targets-per-group"
	groupsPerService    = "groups-per-service"
	groupsPerRegion     = "groups-per-region"
)

// Quotas lists the limits of Lattice that rendering keeps.
func (Target) Quotas() []target.Quota {
	return []target.Quota{
		{Name: "bytes of an auth policy", Key: "policy-bytes", Limit: maxPolicy, Hard: true, Source: quotas},
		{Name: "services in a service network", Key: servicesPerNetwork, Limit: 500, Source: quotas},
		{Name: "services in a Region", Key: servicesPerRegion, Limit: 500, Source: quotas},
		{Name: "VPC associations of a service network", Key: vpcsPerNetwork, Limit: 500, Source: quotas},
		{Name: "listeners of a service", Key: listenersPerService, Limit: 2, Source: quotas},
		{Name: "targets in a target group", Key: targetsPerGroup, Limit: 1000, Source: quotas},
		{Name: "target groups of a service", Key: groupsPerService, Limit: 10, Source: quotas},
		{Name: "target groups of a forward action", Key: "groups-per-forward", Limit: maxForward, Hard: true, Source: "https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_ForwardAction.html"},
		{Name: "target groups in a Region", Key: groupsPerRegion, Limit: 500, Source: quotas},
	}
}

// limits are those that hold for this estate.
type limits struct {
	services, regionServices, vpcs int // of a service network, a Region, a service network
	listeners, serviceGroups       int // of a service
	targets, regionGroups          int // of a target group, a Region
}

func limitsOf(w *plan.Wanted) limits {
	of := func(key string) int { return target.Limit(w, Target{}, key) }
	return limits{
		services: of(servicesPerNetwork), regionServices: of(servicesPerRegion), vpcs: of(vpcsPerNetwork), listeners: of(listenersPerService),
		serviceGroups: of(groupsPerService), targets: of(targetsPerGroup), regionGroups: of(groupsPerRegion),
	}
}

// raise is the help of an error about quotas that AWS raises.
func raise(keys ...string) string { return target.Raise(Target{}, keys...) }
