# What keeps state cannot be destroyed by accident: not by Terraform
# (prevent_destroy), and the database not by anybody (deletion_protection).
resource "aws_security_group" "data" {
  name        = "data"
  description = "The database and the cache"
  vpc_id      = aws_vpc.tier["data"].id
}

# Auth policies of VPC Lattice do not cover databases. They are reached through a
# resource gateway, and only from there.
resource "aws_security_group" "gateway" {
  name        = "resource-gateway"
  description = "The resource gateway before the database and the cache"
  vpc_id      = aws_vpc.tier["data"].id
}

locals {
  stores = {
    orders-db = { port = 5432, host = aws_db_instance.orders.address }
    sessions  = { port = 6379, host = aws_elasticache_replication_group.sessions.primary_endpoint_address }
  }
}

resource "aws_vpc_security_group_egress_rule" "gateway" {
  for_each                     = toset(["5432", "6379"])
  security_group_id            = aws_security_group.gateway.id
  referenced_security_group_id = aws_security_group.data.id
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.value)
  to_port                      = tonumber(each.value)
}

resource "aws_vpc_security_group_ingress_rule" "data" {
  for_each                     = toset(["5432", "6379"])
  security_group_id            = aws_security_group.data.id
  referenced_security_group_id = aws_security_group.gateway.id
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.value)
  to_port                      = tonumber(each.value)
}

resource "aws_vpclattice_resource_gateway" "data" {
  name               = "data"
  vpc_id             = aws_vpc.tier["data"].id
  subnet_ids         = [aws_subnet.tier["gateway-a"].id, aws_subnet.tier["gateway-b"].id]
  security_group_ids = [aws_security_group.gateway.id]
}

resource "aws_vpclattice_resource_configuration" "store" {
  for_each                    = local.stores
  name                        = each.key
  type                        = "SINGLE"
  protocol                    = "TCP"
  port_ranges                 = [tostring(each.value.port)]
  resource_gateway_identifier = aws_vpclattice_resource_gateway.data.id
  resource_configuration_definition {
    dns_resource {
      domain_name     = each.value.host
      ip_address_type = "IPV4"
    }
  }
}

resource "aws_vpclattice_service_network_resource_association" "store" {
  for_each                          = local.stores
  resource_configuration_identifier = aws_vpclattice_resource_configuration.store[each.key].id
  service_network_identifier        = aws_vpclattice_service_network.shop.id
}

resource "aws_db_subnet_group" "data" {
  name       = "data"
  subnet_ids = [aws_subnet.tier["data-a"].id, aws_subnet.tier["data-b"].id]
}

resource "aws_db_instance" "orders" {
  identifier                  = "orders-db"
  engine                      = "postgres"
  instance_class              = "db.t4g.medium"
  allocated_storage           = 50
  db_name                     = "orders"
  username                    = "orders"
  manage_master_user_password = true
  db_subnet_group_name        = aws_db_subnet_group.data.name
  vpc_security_group_ids      = [aws_security_group.data.id]
  multi_az                    = true
  storage_encrypted           = true
  backup_retention_period     = 14
  deletion_protection         = true
  skip_final_snapshot         = false
  final_snapshot_identifier   = "orders-db-last"
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_elasticache_subnet_group" "data" {
  name       = "data"
  subnet_ids = [aws_subnet.tier["data-a"].id, aws_subnet.tier["data-b"].id]
}

resource "aws_elasticache_replication_group" "sessions" {
  replication_group_id       = "sessions"
  description                = "Carts between visits"
  engine                     = "redis"
  node_type                  = "cache.t4g.small"
  num_cache_clusters         = 2
  port                       = 6379
  subnet_group_name          = aws_elasticache_subnet_group.data.name
  security_group_ids         = [aws_security_group.data.id]
  automatic_failover_enabled = true
  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  snapshot_retention_limit   = 7
  lifecycle {
    prevent_destroy = true
  }
}
