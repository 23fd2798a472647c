package lang

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"firebreak/internal/diag"
)

// decode turns a panic of the YAML reader into an error: what it reads is not
// ours, and neither is the reader.
func decode(d *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the YAML reader gave up: %v", v)
		}
	}()
	return d.Decode(n)
}

// syntaxError reports what the YAML reader said, where it went wrong.
func (r *reader) syntaxError(err error, c chunk) {
	line, col, message := diag.YAMLPlace(err, c.text)
	pos := diag.Pos{File: r.file, Line: c.line + line, Col: col}
	r.lost(pos, "yaml-syntax", "this is not YAML: %s", shorten(message)).
		WithHelp("the mistake is on this line or a little above: look for indentation, an unclosed bracket or quote, a tab")
}
