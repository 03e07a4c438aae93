package census

import (
	"fmt"
	"slices"
	"time"
)

// A Result is what a process found out about a file.
type Result struct {
	Number  int64     `json:"number"`
	File    string    `json:"file"`
	Sum     string    `json:"sum"`
	Size    int64     `json:"size"`
	Worker  string    `json:"worker"`
	Attempt int       `json:"attempt"` // number of the delivery it came from
	At      time.Time `json:"at"`
}

// A Finding is what a check of results found.
type Finding struct {
	Lost     int      // files without a result
	Twice    int      // results beyond the first of a file
	Wrong    int      // results that are not what the file gives
	Problems []string // in words; none if all is well
}

// Check compares the results with what direct gives for each of files, and
// their numbers, which are to be 1, 2, 3 and so on.
func Check(files []string, results []Result, direct func(file string) (string, error)) (Finding, error) {
	var f Finding
	found := map[string]int{}
	sorted := slices.Clone(results)
	slices.SortFunc(sorted, func(a, b Result) int { return int(a.Number - b.Number) })
	for i, r := range sorted {
		if r.Number != int64(i+1) {
			f.Problems = append(f.Problems, fmt.Sprintf("the number after %d is %d", i, r.Number))
			break
		}
	}
	for _, r := range sorted {
		found[r.File]++
	}
	for _, file := range files {
		if n := found[file]; n == 0 {
			f.Lost++
		} else {
			f.Twice += n - 1
		}
		delete(found, file)
	}
	for _, r := range sorted {
		if found[r.File] > 0 {
			f.Wrong++ // nobody asked for it
			continue
		}
		sum, err := direct(r.File)
		if err != nil {
			return f, err
		}
		if sum != r.Sum {
			f.Wrong++
		}
	}
	say := func(n int, what string) {
		if n > 0 {
			f.Problems = append(f.Problems, fmt.Sprintf("%d %s", n, what))
		}
	}
	say(f.Lost, "files have no result")
	say(f.Twice, "results are there twice")
	say(f.Wrong, "results are wrong")
	return f, nil
}
