package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"firebreak/internal/diag"
	"firebreak/internal/lint"
)

// codePage is where a code is explained: what is unwise has a page of its own.
func codePage(code string) string {
	page := "docs/diagnostics.md#"
	if slices.Contains(lint.Codes, code) {
		page = "docs/lint.md#"
	}
	return page + code
}

// writeSARIF writes findings as SARIF 2.1.0, which code hosts show beside the
// lines. A finding without a file is one of the whole directory.
func writeSARIF(w io.Writer, findings diag.List) error {
	type object = map[string]any
	results, rules, index := []object{}, []object{}, map[string]int{}
	for _, d := range findings {
		if _, known := index[d.Code]; !known {
			index[d.Code] = len(rules)
			rules = append(rules, object{
				"id":               d.Code,
				"shortDescription": object{"text": strings.ReplaceAll(d.Code, "-", " ")},
				"help":             object{"text": "see " + codePage(d.Code)},
				"helpUri":          "https://firebreak.dev/" + codePage(d.Code),
			})
		}
		message := d.Message
		if d.Help != "" {
			message += " (" + d.Help + ")"
		}
		result := object{
			"ruleId":              d.Code,
			"ruleIndex":           index[d.Code],
			"level":               map[diag.Severity]string{diag.Error: "error", diag.Warning: "warning", diag.Info: "note"}[d.Severity],
			"message":             object{"text": message},
			"partialFingerprints": object{"firebreak/v1": fingerprint(d)},
		}
		if d.Pos.File != "" {
			result["locations"] = []object{{"physicalLocation": sarifPlace(d.Pos)}}
		}
		if d.See.File != "" {
			result["relatedLocations"] = []object{{"id": 1, "physicalLocation": sarifPlace(d.See), "message": object{"text": "see also"}}}
		}
		results = append(results, result)
	}
	return writeJSON(w, object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []object{{
			"tool":       object{"driver": object{"name": "firebreak", "informationUri": "https://firebreak.dev", "rules": rules}},
			"columnKind": "unicodeCodePoints",
			"results":    results,
		}},
	})
}

func sarifPlace(p diag.Pos) map[string]any {
	place := map[string]any{"artifactLocation": map[string]any{"uri": fileURI(p.File)}}
	if p.Line > 0 {
		place["region"] = map[string]any{"startLine": p.Line, "startColumn": max(1, p.Col)}
	}
	return place
}

// fingerprint stays the same when lines move: a finding is known by what it
// says, but for the numbers of lines in it.
func fingerprint(d diag.Diagnostic) string {
	message := regexp.MustCompile(`:\d+`).ReplaceAllString(d.Message, "")
	sum := sha256.Sum256([]byte(d.Code + "\x00" + d.Pos.File + "\x00" + message))
	return hex.EncodeToString(sum[:16])
}

// fileURI is a file's name as a URI: relative where the name is. What a
// revision held is shown where it is now.
func fileURI(name string) string {
	if rest, ok := strings.CutPrefix(name, "git:"); ok {
		_, name, _ = strings.Cut(rest, ":")
	}
	name = filepath.ToSlash(name)
	u := uriEscape(name)
	if strings.HasPrefix(u, "/") {
		return "file://" + u
	}
	return u
}

// uriEscape escapes what a path of a URI may not hold, and the colon, which
// would end a scheme.
func uriEscape(s string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/!$&'()*+,;=@"
	var b strings.Builder
	for _, c := range []byte(s) {
		if strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
	}
	return b.String()
}
