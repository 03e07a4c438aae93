package queue

import (
	"encoding/json"
	"time"
)

// run is the positions run[0] <= pos < run[1].
type run [2]int64

func (r run) len() int64 { return r[1] - r[0] }

// record is a claim record, or one without an owner.
type record struct {
	Priority int   `json:"p"`
	Runs     []run `json:"runs"`
	Since    int64 `json:"ms"`
	// Crashes is how often the jobs were taken from a consumer that went
	// without a word. If there are any, the jobs are suspect.
	Crashes int  `json:"crashes,omitempty"`
	Alone   bool `json:"alone,omitempty"` // the claim of one suspect
}

func (r record) encode() []byte {
	b, _ := json.Marshal(r) // numbers always marshal
	return b
}

func newRecord(p int, runs []run, crashes int) record {
	return record{Priority: p, Runs: runs, Crashes: crashes, Since: time.Now().UnixMilli()}
}

func decodeRecord(key string, b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return r, damaged(key, "is no claim record: %v", err)
	}
	if r.Priority < 0 || r.Priority > MaxPriority || r.Crashes < 0 {
		return r, damaged(key, "is no claim record: a field is out of range")
	}
	last := int64(0)
	for _, u := range r.Runs {
		if u[0] < last || u[1] <= u[0] || u[1] > maxPosition {
			return r, damaged(key, "is no claim record: its positions are out of order")
		}
		last = u[1]
	}
	if len(r.Runs) == 0 {
		return r, damaged(key, "is no claim record: it has no positions")
	}
	return r, nil
}

// size is how many positions runs hold.
func size(runs []run) (n int64) {
	for _, r := range runs {
		n += r.len()
	}
	return n
}

// cut divides runs after n positions.
func cut(runs []run, n int64) (first, rest []run) {
	for i, r := range runs {
		if n <= 0 {
			return first, append([]run(nil), runs[i:]...)
		}
		if r.len() <= n {
			first = append(first, r)
			n -= r.len()
			continue
		}
		first = append(first, run{r[0], r[0] + n})
		rest = append(rest, run{r[0] + n, r[1]})
		return first, append(rest, runs[i+1:]...)
	}
	return first, nil
}

// without takes positions, which are sorted, out of runs.
func without(runs []run, gone []run) []run {
	var out []run
	for _, r := range runs {
		for _, g := range gone {
			if g[1] <= r[0] || g[0] >= r[1] {
				continue
			}
			if g[0] > r[0] {
				out = append(out, run{r[0], g[0]})
			}
			r[0] = min(g[1], r[1])
		}
		if r[0] < r[1] {
			out = append(out, r)
		}
	}
	return out
}

// toRuns joins sorted positions to runs.
func toRuns(sorted []int64) []run {
	var out []run
	for _, p := range sorted {
		if n := len(out); n > 0 && out[n-1][1] == p {
			out[n-1][1]++
		} else {
			out = append(out, run{p, p + 1})
		}
	}
	return out
}

// within is what two lists of runs have in common.
func within(runs, of []run) []run {
	return without(runs, without(runs, of))
}
