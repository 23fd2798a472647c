package gen

// domains are what the company does; each is a namespace and has a team.
var domains = []string{
	"orders", "checkout", "payments", "inventory", "catalog", "search", "shipping", "pricing", "customers", "identity",
	"billing", "ledger", "fraud", "loyalty", "returns", "recommendations", "notifications", "reviews", "cart", "content",
	"logistics", "warehouse", "procurement", "suppliers", "analytics", "reporting", "experiments", "marketing", "campaigns", "ads",
	"support", "chat", "telephony", "crm", "contracts", "hr", "payroll", "treasury", "tax", "invoicing",
	"claims", "risk", "compliance", "audit", "kyc", "onboarding", "documents", "signatures", "media", "streaming",
	"maps", "routing", "fleet", "telemetry", "devices", "firmware", "events", "scheduling", "tickets", "translations",
}

// sensitive are the domains whose data is restricted.
var sensitive = map[string]bool{
	"payments": true, "customers": true, "identity": true, "ledger": true, "fraud": true, "payroll": true, "hr": true,
	"treasury": true, "kyc": true, "claims": true,
}

// The classes of data, and the environments, each from open to guarded.
var (
	classes = []string{"public", "internal", "confidential", "restricted"}
	envs    = []string{"prod", "staging", "dev", "test", "sandbox"}
)

const (
	public = iota
	internal
	confidential
	restricted
)

const prod = 0

// rawEnvs is what tags of virtual machines call the environments.
var rawEnvs = []string{"production", "staging", "development", "test", "sandbox"}

// port is something that an application serves.
type port struct {
	name   string
	number int
}

// role is what an application is within its domain.
type role struct {
	name  string
	tier  string
	ports []port // the first is what it is there for
	vm    bool   // runs on virtual machines rather than in a cluster
	http  bool   // its first port speaks HTTP
}

var (
	metricsPort = port{"metrics", 9102}
	adminPort   = port{"admin", 8081}
)

var roles = []role{
	{"api", "app", []port{{"http", 8080}, {"grpc", 9090}, metricsPort, adminPort}, false, true},
	{"db", "data", []port{{"postgres", 5432}, metricsPort}, true, false},
	{"worker", "app", []port{metricsPort, adminPort}, false, false},
	{"web", "edge", []port{{"https", 8443}, metricsPort}, false, true},
	{"cache", "data", []port{{"redis", 6379}, metricsPort}, false, false},
	{"gateway", "edge", []port{{"https", 8443}, {"http", 8080}, metricsPort, adminPort}, false, true},
	{"consumer", "app", []port{metricsPort, adminPort}, false, false},
	{"broker", "data", []port{{"kafka", 9092}, {"kafka-tls", 9093}, metricsPort}, true, false},
	{"search", "data", []port{{"opensearch", 9200}, metricsPort}, true, true},
	{"scheduler", "app", []port{{"http", 8080}, metricsPort, adminPort}, false, true},
	{"batch", "app", []port{metricsPort}, true, false},
	{"store", "data", []port{{"mysql", 3306}, metricsPort}, true, false},
	{"admin", "app", []port{{"http", 8080}, metricsPort, adminPort}, false, true},
	{"export", "app", []port{{"sftp", 2222}, metricsPort}, true, false},
	{"model", "app", []port{{"grpc", 8500}, {"http", 8501}, metricsPort}, false, true},
	{"proxy", "edge", []port{{"http", 3128}, metricsPort}, false, false},
}

// provider is a cloud, or a data centre of the company's own.
type provider struct {
	name    string
	regions []string
	weight  int
}

var providers = []provider{
	{"aws", []string{"eu-central-1", "eu-west-1", "us-east-1", "us-west-2", "ap-southeast-2"}, 55},
	{"azure", []string{"westeurope", "northeurope", "eastus2"}, 20},
	{"gcp", []string{"europe-west3", "us-central1", "asia-east1"}, 15},
	{"onprem", []string{"fra1", "ams2"}, 10},
}

// outside are the names and reasons of externals.
var outside = []struct{ name, reason string }{
	{"card-processor", "card capture"}, {"mail-relay", "transactional mail"}, {"sms-provider", "one-time codes"},
	{"tax-tables", "rates by country"}, {"carrier-api", "labels and tracking"}, {"bank-gateway", "settlement files"},
	{"partner-feed", "product data of resellers"}, {"map-tiles", "maps in the shop"}, {"code-hosting", "pulls by the pipeline"},
	{"package-mirror", "dependencies"}, {"error-tracking", "crash reports"}, {"identity-provider", "sign-on of employees"},
	{"exchange-rates", "daily fixing"}, {"address-check", "postal data"}, {"ad-network", "bids"}, {"payroll-bureau", "monthly run"},
}
