package lang

import "testing"

// BenchmarkParse reads a policy of 10,000 rules (2.2 MB of text).
func BenchmarkParse(b *testing.B) {
	text := tenThousandRules()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, list := parseText(text); len(list) > 0 {
			b.Fatal(texts(list))
		}
	}
}
