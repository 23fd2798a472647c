package lattice_test

const (
	globalKeys = "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"
	logicKeys  = "docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html"
)

// operatorRows are the operators of IAM's page, and the logic of several keys and
// values, as far as conditionRows has none of them: Allows of everybody under
// these conditions.
var operatorRows = []row{
	{`"StringNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/a"}`, "GET /x", "a b n", operatorsPage + "#Conditions_String"},
	{`"StringNotLike":{"vpc-lattice-svcs:RequestPath":"/x*"}`, "GET /x", "a? b? n?", "an Allow that leaves out requests is not modelled: " + operatorsPage},
	{`"StringNotEqualsIgnoreCase":{"aws:PrincipalAccount":"999999999999"}`, "GET /x", "a b n", operatorsPage + "#Conditions_String"},
	{`"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}`, "GET /x", "a b n", operatorsPage + "#Conditions_ARN"},
	{`"DateEquals":{"aws:CurrentTime":"2026-06-15T12:00:00Z"}`, "GET /x", "a? b? n?", "instants are not modelled: " + operatorsPage + "#Conditions_Date"},
	{`"DateNotEquals":{"aws:CurrentTime":"2026-06-15T12:00:00Z"}`, "GET /x", "a? b? n?", "instants are not modelled: " + operatorsPage + "#Conditions_Date"},
	{`"DateGreaterThanEquals":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`, "GET /x", "a? b? n?", "beginnings are not modelled: " + operatorsPage + "#Conditions_Date"},
	{`"NumericLessThan":{"aws:EpochTime":"1781524801"}`, "GET /x", "a b n", globalKeys + "#condition-keys-epochtime"},
	{`"NumericLessThan":{"aws:EpochTime":"1781524800"}`, "GET /x", "", globalKeys + "#condition-keys-epochtime"},
	{`"NumericLessThanEquals":{"aws:EpochTime":"1781524800"}`, "GET /x", "a b n", operatorsPage + "#Conditions_Numeric"},
	{`"DateLessThan":{"aws:EpochTime":"1781524801"}`, "GET /x", "a b n", operatorsPage + "#Conditions_Date"},
	{`"DateLessThan":{"aws:EpochTime":"1781524800"}`, "GET /x", "", operatorsPage + "#Conditions_Date"},
	{`"DateLessThan":{"aws:CurrentTime":"2026-06-15T14:00:01+02:00"}`, "GET /x", "a b n", "www.w3.org/TR/NOTE-datetime"},
	{`"DateLessThan":{"aws:CurrentTime":["2026-01-01T00:00:00Z","2027-01-01T00:00:00Z"]}`, "GET /x", "a? b? n?", "several ends are not modelled: " + logicKeys},
	{`"BinaryEquals":{"vpc-lattice-svcs:RequestHeader/x-team":"cmVk"}`, "GET /x x-team=red", "a? b? n?", operatorsPage + "#Conditions_Binary"},
	{`"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}`, "GET /x", "a? b? n?", operatorsPage + "#Conditions_IPAddress"},
	{`"Bool":{"aws:PrincipalIsAWSService":"false"}`, "GET /x", "a? b?", operatorsPage + "#Conditions_Boolean"},
	{`"Null":{"aws:PrincipalArn":"true"}`, "GET /x", "a b n", "who does not say who it is has no such key: " + operatorsPage + "#Conditions_Null"},
	{`"Null":{"vpc-lattice-svcs:RequestHeader/x-team":"true"}`, "GET /x", "a? b? n?", "an Allow that leaves out requests is not modelled: " + operatorsPage},
	{`"NullIfExists":{"aws:PrincipalArn":"false"}`, "GET /x", "a? b? n?", operatorsPage + "#Conditions_IfExists"},
	{`"NumericEqualsIfExists":{"vpc-lattice-svcs:Port":"8080"}`, "GET /x", "a b n", operatorsPage + "#Conditions_IfExists"},
	{`"NumericEqualsIfExists":{"vpc-lattice-svcs:Port":"443"}`, "GET /x", "", operatorsPage + "#Conditions_IfExists"},
	{`"ArnLikeIfExists":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/a"}`, "GET /x", "a b n", operatorsPage + "#Conditions_IfExists"},
	{`"StringEqualsIfExists":{"vpc-lattice-svcs:SourceVpc":"vpc-2"}`, "GET /x", "b", operatorsPage + "#Conditions_IfExists"},
	{`"ForAnyValue:StringEquals":{"aws:PrincipalArn":["arn:aws:iam::111122223333:role/a","arn:aws:iam::111122223333:role/z"]}`, "GET /x", "a", setPage},
	{`"ForAllValues:StringNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/a"}`, "GET /x", "a b n", "holds where the key is missing: " + setPage},
	{`"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-1/*"}`, "GET /x", "a? b?", "which organization a role is in, the inventory does not say: " + globalKeys + "#condition-keys-principalorgpaths"},
	{`"StringNotEquals":{"vpc-lattice-svcs:SourceVpc":["vpc-1","vpc-2"]}`, "GET /x", "", "none of several: " + setPage},
	{`"StringEquals":{"vpc-lattice-svcs:RequestMethod":"GET","vpc-lattice-svcs:RequestPath":"/y"}`, "GET /x", "", "all keys: " + logicKeys},
	{`"StringEquals":{"vpc-lattice-svcs:RequestMethod":"GET"},"StringLike":{"vpc-lattice-svcs:RequestPath":"/y*"}`, "GET /x", "", "all operators: " + logicKeys},
	{`"StringLike":{"vpc-lattice-svcs:RequestPath":["/y","/x"]}`, "GET /x", "a b n", "any value: " + logicKeys},
	{`"StringEquals":{"vpc-lattice-svcs:RequestPath":"/*"}`, "GET /x", "a? b? n?", "no wildcard, which is not modelled: " + operatorsPage + "#Conditions_String"},
	{`"StringLike":{"vpc-lattice-svcs:RequestPath":"/a/?*/c"}`, "GET /a//c", "", "a ? is one character: " + operatorsPage + "#Conditions_String"},
	{`"StringLike":{"vpc-lattice-svcs:RequestPath":"/a/?*/c"}`, "GET /a/b/x/c", "a b n", "a * spans slashes: " + operatorsPage + "#Conditions_String"},
	{`"StringEquals":{"vpc-lattice-svcs:SourceVpc":"vpc-1","aws:PrincipalArn":"arn:aws:iam::111122223333:role/b"}`, "GET /x", "", "all keys: " + logicKeys},
	{`"stringequals":{"VPC-LATTICE-SVCS:PORT":"8080"}`, "GET /x", "a b n", "keys are the same in both cases: docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html"},
}
