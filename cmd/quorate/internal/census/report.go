package census

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A Report is what the leaders of an election wrote, one after the other.
type Report struct {
	Entries []Entry `json:"entries"`
}

// An Entry is what a leader saw.
type Entry struct {
	Leader  string `json:"leader"`
	Term    int64  `json:"term"`    // token of the leader's term
	Lock    int64  `json:"lock"`    // token of the lock it held when it wrote
	Results int64  `json:"results"` // how many there were
}

// ReadReport reads the report, which is empty before the first entry.
func ReadReport(file string) (Report, error) {
	var r Report
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}

// Add adds an entry by reading the report, appending and writing it. Of two that
// do so at the same time one loses its entry.
func Add(file string, e Entry) error {
	r, err := ReadReport(file)
	if err != nil {
		return err
	}
	r.Entries = append(r.Entries, e)
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "report-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), file) // at once: whoever is killed leaves no half of it
	}
	return err
}

// Check tells what is wrong with the report: tokens that do not grow, leaders
// that come back, results that become fewer.
func (r Report) Check() (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	terms := map[int64]string{}
	for i, e := range r.Entries {
		if other, ok := terms[e.Term]; ok && other != e.Leader {
			bad("%s and %s led in the same term %d", other, e.Leader, e.Term)
		}
		terms[e.Term] = e.Leader
		if i == 0 {
			continue
		}
		switch last := r.Entries[i-1]; {
		case e.Term < last.Term:
			bad("%s wrote in term %d after %s in term %d", e.Leader, e.Term, last.Leader, last.Term)
		case e.Lock <= last.Lock:
			bad("%s held the lock with token %d after %d", e.Leader, e.Lock, last.Lock)
		case e.Results < last.Results:
			bad("%s saw %d results after %d", e.Leader, e.Results, last.Results)
		}
	}
	return problems
}

// Leaders gives those who wrote, in order.
func (r Report) Leaders() (out []string) {
	for _, e := range r.Entries {
		if len(out) == 0 || out[len(out)-1] != e.Leader {
			out = append(out, e.Leader)
		}
	}
	return out
}
