package lang

// The words of the language, in the order of the constants they stand for.
var (
	effects        = []string{"allow", "deny", "pass"}
	tiers          = []string{"platform", "application", "baseline"}
	stages         = []string{"observe", "alert", "enforce"}
	endpointFields = []string{"service", "zone", "external", "select", "principal", "any", "workload", "ip"}
	sensitivities  = []string{"public", "internal", "confidential", "restricted"}
	guardrailKinds = []string{"never", "only", "must"}
	ruleHas        = []string{"owner", "reason", "mtls", "ports", "http", "when"}
	weekdays       = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // as time.Weekday
	authorities    = []string{"attested", "controller", "tag"}
)

// methods are the HTTP methods that are registered, and those that are in use
// without being so. Others may be written; see unusual-method.
var methods = []string{"CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "MKCALENDAR", "MKCOL", "MOVE", "M-SEARCH", "NOTIFY", "OPTIONS", "PATCH",
	"POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "QUERY", "REPORT", "SEARCH", "SUBSCRIBE", "TRACE", "UNLINK", "UNLOCK", "UNSUBSCRIBE"}

// word returns the word that a constant stands for.
func word[T ~uint8](words []string, v T) string {
	if int(v) < len(words) {
		return words[v]
	}
	return "invalid"
}
