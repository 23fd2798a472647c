package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// What a comment on a pull request holds is bounded; so are we, with room to
// spare.
const (
	maxMarkdown   = 60_000 // characters
	openRows      = 12     // longer tables are folded
	maxRows       = 100    // of a table
	maxCell       = 400    // characters
	markdownNotes = 200    // characters kept for what says that more was left out
)

// mdTable is a table under a title.
type mdTable struct {
	title  string // plain text
	folded bool   // also if it is short
	head   []string
	rows   [][]string // of cells, written with cell or codeCell
}

// mdPage writes tables one below the other as long as there is room.
type mdPage struct {
	strings.Builder
}

func (p *mdPage) table(t mdTable) {
	if len(t.rows) == 0 {
		return
	}
	folded := t.folded || len(t.rows) > openRows
	if folded {
		fmt.Fprintf(p, "\n<details><summary>%s (%d)</summary>\n", t.title, len(t.rows))
	} else {
		fmt.Fprintf(p, "\n**%s**\n", t.title)
	}
	fmt.Fprintf(p, "\n| %s |\n|%s\n", strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)))
	shown := 0
	for _, r := range t.rows[:min(len(t.rows), maxRows)] {
		line := "| " + strings.Join(r, " | ") + " |\n"
		if p.Len()+len(line) > maxMarkdown-markdownNotes {
			break
		}
		p.WriteString(line)
		shown++
	}
	if more := len(t.rows) - shown; more > 0 {
		fmt.Fprintf(p, "\n… and %d more\n", more)
	}
	if folded {
		p.WriteString("\n</details>\n")
	}
}

// cell makes text fit into a Markdown table, as text and nothing else.
func cell(s string) string {
	if utf8.RuneCountInString(s) > maxCell {
		s = string([]rune(s)[:maxCell]) + "…"
	}
	return strings.NewReplacer("\\", `\\`, "|", `\|`, "\r", " ", "\n", " ", "<", "&lt;", "&", "&amp;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "@", "@\u200b").Replace(s)
}

// codeCell makes text a piece of code in a Markdown table; empty stays empty.
func codeCell(s string) string {
	if s == "" {
		return ""
	}
	if utf8.RuneCountInString(s) > maxCell {
		s = string([]rune(s)[:maxCell]) + "…"
	}
	return "`" + strings.NewReplacer("|", `\|`, "\r", " ", "\n", " ", "`", "'").Replace(s) + "`"
}
