# Three VPCs that exchange no packets: there is no peering and no gateway between
# them, and no route from one to another.
resource "aws_vpc" "tier" {
  for_each             = local.vpcs
  cidr_block           = each.value
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = each.key }
}

resource "aws_subnet" "tier" {
  for_each          = local.subnets
  vpc_id            = aws_vpc.tier[each.value.vpc].id
  cidr_block        = each.value.cidr
  availability_zone = "${var.region}${each.value.zone}"
  tags              = { Name = each.key }
}

# Each VPC has a route table of its own. Without routes it leads nowhere but to
# the VPC itself.
resource "aws_route_table" "tier" {
  for_each = local.vpcs
  vpc_id   = aws_vpc.tier[each.key].id
  tags     = { Name = each.key }
}

resource "aws_route_table_association" "tier" {
  for_each       = local.subnets
  subnet_id      = aws_subnet.tier[each.key].id
  route_table_id = aws_route_table.tier[each.value.vpc].id
}

# Customers come in at the storefront.
resource "aws_internet_gateway" "web" {
  vpc_id = aws_vpc.tier["web"].id
  tags   = { Name = "web" }
}

resource "aws_route" "web" {
  route_table_id         = aws_route_table.tier["web"].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.web.id
}

# The default group of a VPC lets nothing in and nothing out.
resource "aws_default_security_group" "closed" {
  for_each = local.vpcs
  vpc_id   = aws_vpc.tier[each.key].id
  tags     = { Name = "${each.key}-default-closed" }
}
