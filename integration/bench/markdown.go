package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A document takes the table of a saved run between two lines, of which the first
// names the run's file, so that it can be made again.
func tableBegin(run string) string {
	return "<!-- " + filepath.Base(run) + ": made by integration/bench -markdown -->\n"
}

const tableEnd = "<!-- end of figures -->\n"

// printMarkdown prints the table of a run for a document.
func printMarkdown(w io.Writer, rs []result) error {
	var b strings.Builder
	b.WriteString("| scenario | quorate | etcd's Go client | ratio | must | aim | p50 / p99 | its p50 / p99 | requests a call | allocations a call |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range rs {
		c := r.cells()
		for i := range c {
			c[i] = strings.ReplaceAll(c[i], "-", "–")
		}
		ratio := c[4]
		switch {
		case r.Members > 1: // what must be reached is said of one member
			c[5], c[6] = "–", "–"
		case r.reached() == "MISSED":
			ratio += " (missed)"
		}
		fmt.Fprintf(&b, "| `%s` | %s %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Name, c[2], r.Unit, c[3], ratio, c[5], c[6],
			spaced(c[8]), spaced(c[9]), pair(c[10], c[11]), pair(c[12], c[13]))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func spaced(s string) string { return strings.Replace(s, "/", " / ", 1) }

// pair gives ours and the peer's.
func pair(ours, peer string) string {
	if ours == "–" && peer == "–" {
		return "–"
	}
	return ours + " : " + peer
}

// fill puts the table of a run, which was saved in a file of that name, into a
// document, between its two lines.
func fill(file, run string, rs []result) error {
	begin := tableBegin(run)
	doc, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(doc, []byte(begin))
	_, after, ended := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !ended {
		return fmt.Errorf("%s has no place for figures of this run: it needs the lines %q and %q", file, strings.TrimSpace(begin), strings.TrimSpace(tableEnd))
	}
	out := bytes.NewBuffer(nil)
	out.Write(before)
	out.WriteString(begin)
	if err := printMarkdown(out, rs); err != nil {
		return err
	}
	out.WriteString(tableEnd)
	out.Write(after)
	return os.WriteFile(file, out.Bytes(), 0o644)
}
