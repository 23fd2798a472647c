package cli

import (
	"embed"
	"html/template"
	"io"
	"unicode/utf8"
)

//go:embed page
var pages embed.FS

// render writes one of the pages, which stand alone: no page asks for anything
// from elsewhere.
func render(w io.Writer, name string, data any) error {
	t, err := template.ParseFS(pages, "page/"+name)
	if err != nil {
		return err
	}
	return t.Execute(w, data)
}

// pageStyle is the style of all pages.
func pageStyle() (template.CSS, error) {
	b, err := pages.ReadFile("page/style.css")
	return template.CSS(b), err
}

// picture is what a page draws, from the back to the front.
type picture struct {
	Width, Height int
	Arrows, Tips  []string // paths
	Heads         []label
	Boxes         []box
}

type label struct {
	Class, Text, Anchor string
	X, Y                int
}

type box struct {
	Class               string
	X, Y, Width, Height int
	Lines               []label
}

// cut shortens a text that does not fit, at about 7 pixels a letter.
func cut(s string, width int) string {
	most := max(width/7, 4)
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// changed says how a share has changed, for a page; nil if nobody asked.
type changed struct{ Class, Text string }

func changeOf(before, after float64) *changed {
	switch {
	case before < after:
		return &changed{"worse", points(before, after)}
	case before > after:
		return &changed{"better", points(before, after)}
	}
	return &changed{"", points(before, after)}
}
