package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/cmd/quorate/internal/census"
)

// verdict checks what came of the demonstration, and prints it.
func (d *demoAll) verdict(ctx context.Context) error {
	results, err := d.results(ctx)
	if err != nil {
		return demoFailed(ctx, err)
	}
	sizes := map[string]int64{}
	found, err := census.Check(d.files, results, func(file string) (string, error) {
		sum, size, err := census.Sum(d.f.dir, file)
		sizes[file] = size
		return sum, err
	})
	if err != nil {
		return demoFailed(ctx, err)
	}
	report, err := census.ReadReport(d.report)
	if err != nil {
		return demoFailed(ctx, err)
	}
	s := &d.sum
	s.Lost, s.Wrong, s.TwiceDone = found.Lost, found.Wrong, found.Twice
	s.Problems = append(append(s.Problems, found.Problems...), report.Check()...)
	s.Leaders = report.Leaders()
	// When all is done the workers end, and reporters follow each other.
	if len(s.Leaders) < 2 || s.Leaders[0] != d.victim.name || slices.Contains(s.Leaders[1:], d.victim.name) {
		s.Problems = append(s.Problems, fmt.Sprintf("the reporters were %s, instead of %s and then others", strings.Join(s.Leaders, ", "), d.victim.name))
	}
	for _, size := range sizes {
		s.Bytes += size
	}
	d.deliveries()
	d.times(results)
	s.Verified = len(s.Problems) == 0
	if d.a.flags.json {
		if err := d.a.printJSON(s); err != nil {
			return err
		}
	}
	if !s.Verified {
		return fail(exitFailed, "not verified: %s", strings.Join(s.Problems, "; "))
	}
	others := ""
	if s.TakeOver > 0 { // it had more than the one whose result was there
		others = fmt.Sprintf("; the first of the others was done %.1f s after the kill, most of which is the lease", s.TakeOver)
	}
	d.a.demoSay("  %s took over as reporter%s.", s.Leaders[1], others)
	d.a.demoSay("\nVerified against a direct computation: %s (%s), each with one result, numbered from 1 to %d without a gap.", counted(s.Files, "file"), size(s.Bytes), s.Files)
	d.a.demoSay("Lost: nothing. Delivered twice: %d. Results twice: none. The report was written %d times under a lock with growing tokens.",
		s.Twice, len(report.Entries))
	d.a.demoSay("Rate: %.0f files/s, until only the killed one's jobs were left; %.1f s from the first result to the last.", s.Rate, s.Seconds)
	return nil
}

// deliveries counts those beyond the first of each file, of which there must be
// some, of a job that was acknowledged by nobody.
func (d *demoAll) deliveries() {
	n := map[string]int{}
	for _, p := range d.workers {
		for _, e := range p.deliveries {
			n[e.File]++
		}
	}
	for _, c := range n {
		d.sum.Twice += c - 1
	}
	if len(n) != len(d.files) {
		d.sum.Problems = append(d.sum.Problems, fmt.Sprintf("%d of %d files were delivered", len(n), len(d.files)))
	}
	if d.sum.Twice == 0 {
		d.sum.Problems = append(d.sum.Problems, "nothing was delivered twice, so nothing was shown")
	}
}

// times finds how long what took.
func (d *demoAll) times(results []census.Result) {
	var first, last, taken, main time.Time
	n := 0
	for _, r := range results {
		if first.IsZero() || r.At.Before(first) {
			first = r.At
		}
		if r.At.After(last) {
			last = r.At
		}
		if r.Attempt > 1 {
			if taken.IsZero() || r.At.Before(taken) {
				taken = r.At
			}
			continue
		}
		n++
		if r.At.After(main) {
			main = r.At
		}
	}
	d.sum.Seconds = last.Sub(first).Seconds()
	if s := main.Sub(first).Seconds(); s > 0 {
		d.sum.Rate = float64(n) / s
	}
	if !taken.IsZero() {
		d.sum.TakeOver = taken.Sub(d.killed).Seconds()
	}
}
