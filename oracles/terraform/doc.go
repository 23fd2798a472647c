// Package terraform judges with Terraform itself what is rendered for AWS, and
// how this project reads configurations, plans and states.
//
// Its provider hashicorp/aws is a stand-in. It knows the arguments of the real
// one, version 6.25, by name and type, what is required of them, what AWS gives,
// how blocks nest and how many there may be. That is in standin/schema.json, which
// the command extract reads out of the npm package @cdktf/provider-aws 21.22.1
// (MPL-2.0), generated from the real provider's schema; extract says how. The
// stand-in gives resources the provider's default tags, and writes the documents
// of aws_iam_policy_document. It knows nothing else: no ranges of values, no
// arguments that exclude each other, no AWS. What it accepts, the real provider
// may still refuse.
package terraform
