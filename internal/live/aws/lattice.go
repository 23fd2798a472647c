package aws

import "firebreak/internal/diag"

// Service is a VPC Lattice service, of list-services and get-service.<id>.
// AuthType is "NONE" or "AWS_IAM", and empty where only list-services was asked.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_GetService.html
type Service struct {
	Id, Arn, Name, Status, AuthType, CustomDomainName, CertificateArn string

	DnsEntry DnsEntry
	Unread   Unread
	Pos      diag.Pos
}

// DnsEntry is a name that Lattice answers for.
type DnsEntry struct{ DomainName, HostedZoneId string }

// ServiceNetwork is a VPC Lattice service network, of list-service-networks and
// get-service-network.<id>. AuthType is as of a Service.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_GetServiceNetwork.html
type ServiceNetwork struct {
	Id, Arn, Name, AuthType string

	NumberOfAssociatedServices, NumberOfAssociatedVPCs *int

	Unread Unread
	Pos    diag.Pos
}

// ServiceAssociation puts a service into a service network: an element of
// list-service-network-service-associations. Status is "ACTIVE" while it does.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_ServiceNetworkServiceAssociationSummary.html
type ServiceAssociation struct {
	Id, Arn, Status, ServiceArn, ServiceId, ServiceName, ServiceNetworkArn, ServiceNetworkId, ServiceNetworkName string

	DnsEntry DnsEntry
	Pos      diag.Pos
}

// VpcAssociation lets a VPC use a service network: an element of
// list-service-network-vpc-associations, with the groups that
// get-service-network-vpc-association.<id> tells. GroupsKnown says that this was
// asked.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_GetServiceNetworkVpcAssociation.html
type VpcAssociation struct {
	Id, Arn, Status, ServiceNetworkArn, ServiceNetworkId, ServiceNetworkName, VpcId string

	SecurityGroupIds []string
	GroupsKnown      bool
	Pos              diag.Pos
}

// ResourceAssociation puts a resource configuration into a service network: an
// element of list-service-network-resource-associations.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_ServiceNetworkResourceAssociationSummary.html
type ResourceAssociation struct {
	Id, Arn, Status, ResourceConfigurationArn, ResourceConfigurationId, ServiceNetworkArn, ServiceNetworkId string

	Pos diag.Pos
}

// Listener is an element of list-listeners.<service>. Protocol is "HTTP", "HTTPS"
// or "TLS_PASSTHROUGH".
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_ListenerSummary.html
type Listener struct {
	Id, Arn, Name, Protocol string

	Port    *int
	Service string // the id or ARN that the file name gives
	Pos     diag.Pos
}

// TargetGroup is an element of list-target-groups, with the targets that
// list-targets.<id> tells; TargetsKnown says that this was asked.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_TargetGroupSummary.html
type TargetGroup struct {
	Id, Arn, Name, Type, Protocol, VpcIdentifier, IpAddressType, Status string

	Port         *int
	ServiceArns  []string
	Targets      []Target
	TargetsKnown bool
	Pos          diag.Pos
}

// Target is an element of list-targets: an instance's id, an address, the ARN of
// a function or of a load balancer.
type Target struct {
	Id, Status string

	Port *int
	Pos  diag.Pos
}

// AuthPolicy is the answer of get-auth-policy.<id>, id being the id or the ARN of
// a service or a service network. Policy is the text of the document; empty where
// there is none. State is "Active" or "Inactive"; a policy of a resource whose
// AuthType is NONE is inactive.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_GetAuthPolicy.html
type AuthPolicy struct {
	Resource, Policy, State string

	Pos diag.Pos
}
