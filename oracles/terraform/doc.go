// Package terraform judges with Terraform itself what is rendered for AWS, and
// how this project reads configurations, plans and states.
//
// Its provider hashicorp/aws is a stand-in. It knows the arguments of the real
// one, version 6.25, by name and type (schema.json, read out of the npm package
// @cdktf/provider-aws 21.22.1, which is generated from the real provider's schema
// and is licensed under the MPL-2.0), and what is required of them. It knows
// nothing else: no ranges of values, no arguments that exclude each other, no
// AWS. Where the package does not say whether an optional argument is computed,
// it counts as not computed. What it accepts, the real provider may still refuse.
package terraform
