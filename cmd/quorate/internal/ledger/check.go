package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// An Entry is a line of the journal.
type Entry struct {
	What      string // Enter, Leave, Stuck or Gone
	Token     int64
	PID       int
	Transfers int // made since it entered
}

// What a journal tells of.
const (
	Enter = "enter" // a process begins
	Leave = "leave" // it is done
	Stuck = "stuck" // it stays in the middle of a transfer until it is killed
	Gone  = "gone"  // it was killed, and it and its child have ended
)

// Journal reads the journal in dir.
func Journal(dir string) ([]Entry, error) {
	f, err := os.Open(filepath.Join(dir, journalName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []Entry
	for in := bufio.NewScanner(f); in.Scan(); {
		var e Entry
		if _, err := fmt.Sscan(in.Text(), &e.What, &e.Token, &e.PID, &e.Transfers); err != nil {
			return nil, fmt.Errorf("journal line %d, %q: %w", len(out)+1, in.Text(), err)
		}
		out = append(out, e)
	}
	return out, nil
}

// A Finding is what the check of a run found.
type Finding struct {
	Turns  []Entry // how each process's turn ended, in order
	Made   int     // transfers that were made
	Kept   int     // of them, those that are in the file
	Killed int     // processes that were killed
}

// Check finds out whether the processes that worked on the ledger in dir did so
// one at a time, in the order of their tokens, without losing anything.
func Check(dir string) (Finding, error) {
	var f Finding
	journal, err := Journal(dir)
	if err != nil {
		return f, err
	}
	l, err := Read(dir)
	if err != nil {
		return f, err
	}
	var inside *Entry
	var last int64
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, e := range journal {
		switch {
		case e.What == Enter:
			if inside != nil {
				wrong("process %d entered while %d was inside", e.PID, inside.PID)
			}
			if e.Token <= last {
				wrong("token %d of process %d came after token %d", e.Token, e.PID, last)
			}
			last = e.Token
			entry := e
			inside = &entry
		case e.What == Stuck:
			f.Made += e.Transfers
		case inside == nil || inside.PID != e.PID:
			wrong("process %d was no longer inside when it ended", e.PID)
			fallthrough
		default:
			if e.What == Gone {
				f.Killed++
			} else {
				f.Made += e.Transfers
			}
			f.Turns = append(f.Turns, e)
			inside = nil
		}
	}
	if inside != nil {
		wrong("process %d never left", inside.PID)
	}
	f.Kept = l.Transfers
	if f.Kept != f.Made {
		wrong("%d of %d transfers are lost", f.Made-f.Kept, f.Made)
	}
	if !l.balanced() {
		wrong("the balances do not add up")
	}
	return f, errors.Join(errs...)
}
