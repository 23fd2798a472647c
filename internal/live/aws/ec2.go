package aws

import "firebreak/internal/diag"

// Tag is a tag of EC2. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Tag.html
type Tag struct{ Key, Value string }

// TagOf returns the value of a tag; empty where there is none.
func TagOf(tags []Tag, key string) string {
	for _, t := range tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// Unread are fields that an answer has and this room does not know, by name,
// sorted. A reader that is to be sure of what it read takes them for a doubt.
type Unread []string

// SecurityGroup is an element of describe-security-groups.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroup.html
type SecurityGroup struct {
	GroupId, GroupName, Description, OwnerId, VpcId, SecurityGroupArn string

	IpPermissions, IpPermissionsEgress []IpPermission
	Tags                               []Tag
	Unread                             Unread
	Pos                                diag.Pos
}

// IpPermission is a rule of a security group, as describe-security-groups tells
// it: several peers with one traffic. IpProtocol is "tcp", "udp", "icmp",
// "icmpv6", a number, or "-1" for all; ports are nil for all of them, and of ICMP
// the type and code with -1 for all.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
type IpPermission struct {
	IpProtocol       string
	FromPort, ToPort *int
	IpRanges         []IpRange
	Ipv6Ranges       []Ipv6Range
	PrefixListIds    []PrefixListId
	UserIdGroupPairs []UserIdGroupPair
	Unread           Unread
	Pos              diag.Pos
}

// IpRange is an IPv4 peer of an IpPermission.
type IpRange struct {
	CidrIp, Description string
	Pos                 diag.Pos
}

// Ipv6Range is an IPv6 peer of an IpPermission.
type Ipv6Range struct {
	CidrIpv6, Description string
	Pos                   diag.Pos
}

// PrefixListId is a prefix list as a peer of an IpPermission.
type PrefixListId struct {
	PrefixListId, Description string
	Pos                       diag.Pos
}

// UserIdGroupPair is a group as a peer of an IpPermission. UserId is the account
// that owns the group.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UserIdGroupPair.html
type UserIdGroupPair struct {
	GroupId, GroupName, UserId, VpcId, VpcPeeringConnectionId, PeeringStatus, Description string

	Unread Unread
	Pos    diag.Pos
}

// SecurityGroupRule is an element of describe-security-group-rules.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
type SecurityGroupRule struct {
	SecurityGroupRuleId, SecurityGroupRuleArn, GroupId, GroupOwnerId, IpProtocol, CidrIpv4, CidrIpv6, PrefixListId, Description string

	IsEgress            bool
	FromPort, ToPort    *int // -1 for all
	ReferencedGroupInfo *UserIdGroupPair
	Tags                []Tag
	Unread              Unread
	Pos                 diag.Pos
}

// NetworkInterface is an element of describe-network-interfaces.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html
type NetworkInterface struct {
	NetworkInterfaceId, SubnetId, VpcId, OwnerId, RequesterId, InterfaceType, Status, Description, PrivateIpAddress, PrivateDnsName string

	Groups             []GroupIdentifier
	PrivateIpAddresses []PrivateIpAddress
	Ipv6Addresses      []Ipv6Address
	Ipv4Prefixes       []Ipv4Prefix
	Ipv6Prefixes       []Ipv6Prefix
	Attachment         *Attachment
	Association        *Association
	SourceDestCheck    *bool
	TagSet             []Tag
	Pos                diag.Pos
}

// GroupIdentifier names a security group of an interface.
type GroupIdentifier struct{ GroupId, GroupName string }

// PrivateIpAddress is an address of an interface.
type PrivateIpAddress struct {
	PrivateIpAddress string
	Primary          bool
	Association      *Association
}

// Ipv6Address is an address of an interface.
type Ipv6Address struct{ Ipv6Address string }

// Ipv4Prefix is a prefix that is delegated to an interface.
type Ipv4Prefix struct{ Ipv4Prefix string }

// Ipv6Prefix is a prefix that is delegated to an interface.
type Ipv6Prefix struct{ Ipv6Prefix string }

// Association is a public address of an interface.
type Association struct{ PublicIp string }

// Attachment says what an interface is attached to.
type Attachment struct {
	AttachmentId, InstanceId, InstanceOwnerId, Status string

	DeviceIndex *int
}

// Instance is an element of describe-instances, out of its reservation.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
type Instance struct {
	InstanceId, PrivateIpAddress, PrivateDnsName, PublicIpAddress, Ipv6Address, SubnetId, VpcId, ImageId, InstanceType string

	State              InstanceState
	IamInstanceProfile *InstanceProfileRef
	SecurityGroups     []GroupIdentifier
	NetworkInterfaces  []NetworkInterface
	Placement          Placement
	Tags               []Tag
	OwnerId            string // of the reservation
	Pos                diag.Pos
}

// InstanceState is "pending", "running", "shutting-down", "terminated",
// "stopping" or "stopped".
type InstanceState struct{ Name string }

// Placement says where an instance runs.
type Placement struct{ AvailabilityZone string }

// InstanceProfileRef names the instance profile of an instance.
type InstanceProfileRef struct{ Arn, Id string }

// Vpc is an element of describe-vpcs.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Vpc.html
type Vpc struct {
	VpcId, OwnerId, CidrBlock string

	CidrBlockAssociationSet     []VpcCidr
	Ipv6CidrBlockAssociationSet []VpcIpv6Cidr
	IsDefault                   bool
	Tags                        []Tag
	Pos                         diag.Pos
}

// VpcCidr is an IPv4 block of a VPC. State is "associated" while it is one.
type VpcCidr struct {
	CidrBlock      string
	CidrBlockState struct{ State string }
}

// VpcIpv6Cidr is an IPv6 block of a VPC or of a subnet.
type VpcIpv6Cidr struct {
	Ipv6CidrBlock      string
	Ipv6CidrBlockState struct{ State string }
}

// Subnet is an element of describe-subnets.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Subnet.html
type Subnet struct {
	SubnetId, SubnetArn, VpcId, OwnerId, CidrBlock, AvailabilityZone string

	Ipv6CidrBlockAssociationSet []VpcIpv6Cidr
	Tags                        []Tag
	Pos                         diag.Pos
}

// NetworkAcl is an element of describe-network-acls.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkAcl.html
type NetworkAcl struct {
	NetworkAclId, VpcId, OwnerId string

	IsDefault    bool
	Associations []NetworkAclAssociation
	Entries      []NetworkAclEntry
	Tags         []Tag
	Unread       Unread
	Pos          diag.Pos
}

// NetworkAclAssociation puts a subnet under a network ACL.
type NetworkAclAssociation struct{ NetworkAclAssociationId, NetworkAclId, SubnetId string }

// NetworkAclEntry is a rule of a network ACL. Protocol is a number, "-1" for
// all; RuleNumber 32767 is the last one, that denies.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkAclEntry.html
type NetworkAclEntry struct {
	RuleNumber                                     int
	Protocol, RuleAction, CidrBlock, Ipv6CidrBlock string

	Egress       bool
	PortRange    *PortRange
	IcmpTypeCode *IcmpTypeCode
	Unread       Unread
	Pos          diag.Pos
}

// PortRange are ports, both included.
type PortRange struct{ From, To int }

// IcmpTypeCode is an ICMP type and code; -1 is all.
type IcmpTypeCode struct{ Type, Code int }

// RouteTable is an element of describe-route-tables.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RouteTable.html
type RouteTable struct {
	RouteTableId, VpcId, OwnerId string

	Associations []RouteTableAssociation
	Routes       []Route
	Tags         []Tag
	Unread       Unread
	Pos          diag.Pos
}

// RouteTableAssociation puts a subnet or a gateway under a route table. Main is
// that of all subnets of the VPC that have none of their own.
type RouteTableAssociation struct {
	RouteTableAssociationId, RouteTableId, SubnetId, GatewayId string

	Main bool
}

// Route is a route. State is "active" or "blackhole".
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
type Route struct {
	DestinationCidrBlock, DestinationIpv6CidrBlock, DestinationPrefixListId                                           string
	GatewayId, NatGatewayId, TransitGatewayId, VpcPeeringConnectionId, NetworkInterfaceId, InstanceId, LocalGatewayId string
	EgressOnlyInternetGatewayId, CarrierGatewayId, CoreNetworkArn, InstanceOwnerId, State, Origin                     string

	Unread Unread
	Pos    diag.Pos
}

// VpcPeeringConnection is an element of describe-vpc-peering-connections.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcPeeringConnection.html
type VpcPeeringConnection struct {
	VpcPeeringConnectionId string
	AccepterVpcInfo        PeeringVpc
	RequesterVpcInfo       PeeringVpc
	Status                 struct{ Code string } // "active" while it carries packets
	Tags                   []Tag
	Pos                    diag.Pos
}

// PeeringVpc is one end of a peering.
type PeeringVpc struct {
	VpcId, OwnerId, Region, CidrBlock string

	CidrBlockSet     []struct{ CidrBlock string }
	Ipv6CidrBlockSet []struct{ Ipv6CidrBlock string }
}

// TransitGatewayVpcAttachment is an element of
// describe-transit-gateway-vpc-attachments.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TransitGatewayVpcAttachment.html
type TransitGatewayVpcAttachment struct {
	TransitGatewayAttachmentId, TransitGatewayId, VpcId, VpcOwnerId, State string

	SubnetIds []string
	Options   TransitGatewayOptions
	Tags      []Tag
	Pos       diag.Pos
}

// TransitGatewayOptions are "enable" or "disable"; empty where the answer is from
// before there was such an option.
type TransitGatewayOptions struct{ SecurityGroupReferencingSupport string }

// TransitGatewayAttachment is an element of describe-transit-gateway-attachments:
// what is attached to a transit gateway, and whose that is. ResourceType is "vpc",
// "vpn", "direct-connect-gateway", "connect", "peering" (with another gateway) and
// the like. Only the gateway's owner is shown what others attach.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TransitGatewayAttachment.html
type TransitGatewayAttachment struct {
	TransitGatewayAttachmentId, TransitGatewayId, TransitGatewayOwnerId, ResourceOwnerId, ResourceType, ResourceId, State string

	Pos diag.Pos
}

// PrefixList is an element of describe-managed-prefix-lists.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ManagedPrefixList.html
type PrefixList struct {
	PrefixListId, PrefixListName, OwnerId, AddressFamily string

	MaxEntries *int
	Tags       []Tag
	// Entries are those of get-managed-prefix-list-entries; Complete says that this
	// was asked for the list at all.
	Entries  []PrefixListEntry
	Complete bool
	Pos      diag.Pos
}

// PrefixListEntry is an element of get-managed-prefix-list-entries.
type PrefixListEntry struct {
	Cidr, Description string
	Pos               diag.Pos
}
