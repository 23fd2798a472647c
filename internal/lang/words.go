package lang

// The words of the language, in the order of the constants they stand for.
var (
	effects        = []string{"allow", "deny", "pass"}
	tiers          = []string{"platform", "application", "baseline"}
	stages         = []string{"observe", "alert", "enforce"}
	endpointFields = []string{"service", "zone", "external", "select", "principal", "any", "workload", "ip"}
	sensitivities  = []string{"public", "internal", "confidential", "restricted"}
	guardrailKinds = []string{"never", "only", "must"}
	authorities    = []string{"attested", "controller", "tag"}
)

// word returns the word that a constant stands for.
func word[T ~uint8](words []string, v T) string {
	if int(v) < len(words) {
		return words[v]
	}
	return "invalid"
}
