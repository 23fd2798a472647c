# The service network is the one thing that the VPCs have in common. Its auth type
# is AWS_IAM and it has no auth policy here: nobody gets through. Who may call
# what, firebreak render writes from the policy: services, listeners, targets and
# the auth policies. They find this network by its id, in networks.yaml.
resource "aws_vpclattice_service_network" "shop" {
  name      = "shop"
  auth_type = "AWS_IAM"
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_vpclattice_service_network_vpc_association" "tier" {
  for_each                   = local.vpcs
  vpc_identifier             = aws_vpc.tier[each.key].id
  service_network_identifier = aws_vpclattice_service_network.shop.id
  security_group_ids         = [aws_security_group.lattice[each.key].id]
}

# Who in a VPC may use the service network at all: its own addresses.
resource "aws_security_group" "lattice" {
  for_each    = local.vpcs
  name        = "${each.key}-to-lattice"
  description = "Callers of the service network in ${each.key}"
  vpc_id      = aws_vpc.tier[each.key].id
}

resource "aws_vpc_security_group_ingress_rule" "lattice" {
  for_each          = { for pair in setproduct(keys(local.vpcs), ["443", "4317", "5432", "6379", "8443"]) : "${pair[0]}-${pair[1]}" => pair }
  security_group_id = aws_security_group.lattice[each.value[0]].id
  cidr_ipv4         = local.vpcs[each.value[0]]
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value[1])
  to_port           = tonumber(each.value[1])
}

# The account of staging associates its own VPC.
resource "aws_ram_resource_share" "shop" {
  name                      = "service-network-shop"
  allow_external_principals = false
}

resource "aws_ram_resource_association" "shop" {
  resource_arn       = aws_vpclattice_service_network.shop.arn
  resource_share_arn = aws_ram_resource_share.shop.arn
}

resource "aws_ram_principal_association" "staging" {
  principal          = var.staging_account
  resource_share_arn = aws_ram_resource_share.shop.arn
}

output "service_network" {
  description = "Goes into networks.yaml, as net/service-network."
  value       = aws_vpclattice_service_network.shop.id
}

output "vpcs" {
  description = "Go into networks.yaml and inventory.yaml, as net/vpc."
  value       = { for name, vpc in aws_vpc.tier : name => vpc.id }
}
