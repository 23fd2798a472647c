package httpapi

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// page serves the built page. Paths without a dot are places inside it, like
// /flows, and get index.html.
type page struct{ files fs.FS }

// ServeHTTP answers GET and HEAD.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.files == nil {
		http.Error(w, "this build has no page; the data is at /api/v1/snapshot", http.StatusNotFound)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" || !strings.Contains(path.Base(name), ".") {
		name = "index.html"
	}
	info, err := fs.Stat(p.files, name)
	if err != nil || info.IsDir() {
		http.NotFound(w, r)
		return
	}
	if strings.HasPrefix(name, "assets/") { // their names change with their content
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache")
	}
	b, err := fs.ReadFile(p.files, name)
	if err != nil {
		http.Error(w, "the page cannot be read", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType(name))
	_, _ = w.Write(b)
}

// contentType is fixed here because the machine's own table may be anything.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".json", ".map":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	default:
		return "application/octet-stream"
	}
}
