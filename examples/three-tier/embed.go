// Package threetier holds a policy for a small shop in three trust zones, its
// inventory and its Cases. The demonstration enforces it; people may copy it
// and begin from there.
package threetier

import "embed"

// Files are the policy directory.
//
//go:embed *.yaml
var Files embed.FS
