package queueaudit_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/queueaudit"
)

// A log is a history of a queue's keys, a commit after the other.
type log struct {
	revision int64
	held     map[string][]byte
	events   []queueaudit.Event
}

const data = "q/"

func (l *log) commit(changes ...change) *log {
	if l.held == nil {
		l.held = map[string][]byte{}
	}
	l.revision++
	for _, c := range changes {
		key := data + c.key
		l.events = append(l.events, queueaudit.Event{Revision: l.revision, Key: key, Value: c.value, Prev: l.held[key], Deleted: c.value == nil})
		if l.held[key] = c.value; c.value == nil {
			delete(l.held, key)
		}
	}
	return l
}

type change struct {
	key   string
	value []byte
}

func job(key, id string) change { return change{key, []byte(`{"id":"` + id + "\"}\npayload")} }
func gone(key string) change    { return change{key, nil} }
func at(pos int) string         { return fmt.Sprintf("jobs/0/%016x", pos) }

func claims(from, to int) change {
	return change{"claim/c/00000001", fmt.Appendf(nil, `{"p":0,"runs":[[%d,%d]]}`, from, to)}
}

func (l *log) audit(removed ...string) *queueaudit.Audit {
	a := queueaudit.New(data, func(id string) bool {
		for _, r := range removed {
			if r == id {
				return true
			}
		}
		return false
	})
	a.Replay(l.events)
	return a
}

func TestTheLifeOfJobsHasNoFault(t *testing.T) {
	l := new(log).
		commit(job(at(0), "a"), job(at(1), "b")).
		commit(claims(0, 2)).
		commit(gone(at(0)), job("later/00000000000000ff-a", "a")).
		commit(gone(at(1)), gone("claim/c/00000001")).
		commit(gone("later/00000000000000ff-a"), job(at(2), "a")).
		commit(job("inbox/i", "i")).
		commit(gone("inbox/i"), job("dead/00000000000000ff-i", "i")).
		commit(gone("dead/00000000000000ff-i"))
	a := l.audit("i")
	require.Empty(t, a.Faults)
	require.Equal(t, []string{"a"}, a.Left())
	require.Equal(t, map[string]int64{"b": 4, "i": 8}, a.Gone)
}

// A check that never finds anything shows nothing.
func TestWhatMustNotHappenToAJobIsAFault(t *testing.T) {
	for fault, l := range map[string]*log{
		"was deleted without a claim": new(log).
			commit(job(at(0), "a")).commit(gone(at(0))),
		"0000000000000001 was deleted without a claim": new(log).
			commit(job(at(0), "a"), job(at(1), "b")).commit(claims(0, 1)).commit(gone(at(1))),
		// Its claim was over.
		"at jobs/0/0000000000000000 was deleted without a claim": new(log).
			commit(job(at(0), "a")).commit(claims(0, 1)).commit(gone("claim/c/00000001")).commit(gone(at(0))),
		"later/00000000000000ff-a was deleted": new(log).
			commit(job("later/00000000000000ff-a", "a")).commit(gone("later/00000000000000ff-a")),
		"was filled again": new(log).
			commit(job(at(0), "a")).commit(claims(0, 1)).commit(gone(at(0))).commit(job(at(0), "b")),
		"stands in several places": new(log).
			commit(job(at(0), "a")).commit(job("later/00000000000000ff-a", "a")),
		"came back, which was gone": new(log).
			commit(job(at(0), "a")).commit(claims(0, 1)).commit(gone(at(0))).commit(job(at(1), "a")),
	} {
		faults := l.audit().Faults
		require.Len(t, faults, 1, fault)
		require.Contains(t, faults[0], fault)
	}
}
