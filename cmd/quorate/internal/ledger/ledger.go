// Package ledger is the work that "quorate demo lock" has done under a lock:
// money moves between the accounts of a file by reading the file, computing and
// writing it, without any protection of its own. Processes that do so at the
// same time lose each other's transfers. A journal beside the file tells, in
// order, who entered and who left, so that it can be checked afterwards.
package ledger

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// A Ledger is the content of the file.
type Ledger struct {
	Accounts  []int64 `json:"accounts"`
	Transfers int     `json:"transfers"` // how many were made
}

const (
	fileName    = "ledger.json"
	journalName = "journal"
	accounts    = 10
	opening     = 1000
)

// Create makes a new ledger in dir.
func Create(dir string) error {
	l := Ledger{Accounts: make([]int64, accounts)}
	for i := range l.Accounts {
		l.Accounts[i] = opening
	}
	return l.write(dir)
}

// Read reads the ledger in dir.
func Read(dir string) (Ledger, error) {
	var l Ledger
	b, err := os.ReadFile(filepath.Join(dir, fileName))
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	return l, err
}

// write replaces the file at once: a process that is killed leaves no half of
// one. That does nothing for transfers made meanwhile, which are overwritten.
func (l Ledger) write(dir string) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, fileName))
	}
	return err
}

// balanced reports whether no money came or went.
func (l Ledger) balanced() bool {
	sum := int64(0)
	for _, a := range l.Accounts {
		sum += a
	}
	return len(l.Accounts) == accounts && sum == accounts*opening
}

// computing is how long a transfer takes between reading and writing.
const computing = time.Millisecond

// Transfer moves some money. Between reading and writing it calls midway, if
// there is one.
func Transfer(dir string, midway func() error) error {
	l, err := Read(dir)
	if err != nil {
		return err
	}
	from, to := rand.IntN(accounts), rand.IntN(accounts)
	amount := rand.Int64N(100)
	time.Sleep(computing)
	if midway != nil {
		if err := midway(); err != nil {
			return err
		}
	}
	l.Accounts[from] -= amount
	l.Accounts[to] += amount
	l.Transfers++
	return l.write(dir)
}

// Note adds a line to the journal in dir. A line is written at once, so the
// order of the lines is the order in which things happened.
func Note(dir string, e Entry) error {
	f, err := os.OpenFile(filepath.Join(dir, journalName), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, e.What, e.Token, e.PID, e.Transfers)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
