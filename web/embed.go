// Package web holds the built page. The files in dist are made from src by
// Vite and committed, so that building the program needs no Node.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist returns the built page: index.html at its root, everything it loads
// under assets. It is never nil and safe for concurrent use.
func Dist() fs.FS {
	dist, err := fs.Sub(files, "dist")
	if err != nil { // only for an invalid path, and "dist" is a valid one
		return files
	}
	return dist
}
