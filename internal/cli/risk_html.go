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

// letters is how many letters of a class of text fit, about.
func letters(class string, width int) int {
	perLetter := map[string]float64{"bold": 7.9, "mono": 7.4}[class]
	if perLetter == 0 {
		perLetter = 6.3
	}
	return max(int(float64(width)/perLetter), 5)
}

// cut shortens a text that does not fit.
func cut(s, class string, width int) string {
	most := letters(class, width)
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// cutMiddle is cut for names, of which the ends tell most.
func cutMiddle(s, class string, width int) string {
	most, r := letters(class, width), []rune(s)
	if len(r) <= most {
		return s
	}
	tail := (most - 1) / 2
	return string(r[:most-1-tail]) + "…" + string(r[len(r)-tail:])
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
