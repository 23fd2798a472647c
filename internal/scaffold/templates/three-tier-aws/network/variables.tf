variable "region" {
  description = "The Region of all three VPCs."
  type        = string
  default     = "eu-central-1"
}

variable "environment" {
  description = "The tag Environment, of which the policy makes the label env."
  type        = string
  default     = "production"
  validation {
    condition     = contains(["production", "staging", "shared"], var.environment)
    error_message = "Use production, staging or shared: the values that estate.yaml translates."
  }
}

variable "owner" {
  description = "The tag Owner: the team that answers for the network."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,}$", var.owner))
    error_message = "Name a team: lower-case letters, digits and hyphens."
  }
}

variable "cost_center" {
  description = "The tag CostCenter."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{4,}$", var.cost_center))
    error_message = "A cost center has four digits or more."
  }
}

variable "staging_account" {
  description = "The account of staging, with which the service network is shared."
  type        = string
  default     = "444455556666"
  validation {
    condition     = can(regex("^[0-9]{12}$", var.staging_account))
    error_message = "An account has twelve digits."
  }
}

# Every resource has these tags; without the two that have no default nothing is
# planned.
locals {
  tags = {
    Environment = var.environment
    Owner       = var.owner
    CostCenter  = var.cost_center
  }
  vpcs = {
    web  = "10.20.0.0/16"
    app  = "10.21.0.0/16"
    data = "10.22.0.0/16"
  }
  subnets = {
    web-a     = { vpc = "web", cidr = "10.20.0.0/24", zone = "a" }
    web-b     = { vpc = "web", cidr = "10.20.1.0/24", zone = "b" }
    app-a     = { vpc = "app", cidr = "10.21.0.0/24", zone = "a" }
    app-b     = { vpc = "app", cidr = "10.21.1.0/24", zone = "b" }
    ops-a     = { vpc = "app", cidr = "10.21.2.0/24", zone = "a" }
    data-a    = { vpc = "data", cidr = "10.22.0.0/24", zone = "a" }
    data-b    = { vpc = "data", cidr = "10.22.1.0/24", zone = "b" }
    gateway-a = { vpc = "data", cidr = "10.22.2.0/24", zone = "a" }
    gateway-b = { vpc = "data", cidr = "10.22.3.0/24", zone = "b" }
  }
}
