package linearizability

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// What the checker must accept and what it must not, by hand.

func putOf(k, v int) txn { return txn{Then: []op{{Kind: put, Key: k, Value: v}}} }
func getOf(k int) txn    { return txn{Then: []op{{Kind: get, Key: k}}} }

// skew puts k if other is missing.
func skew(k, other, v int) txn {
	return txn{If: []cond{{Key: other, Value: -1}}, Then: []op{{Kind: put, Key: k, Value: v}}}
}

func done(revision int64) *outcome {
	return &outcome{Revision: revision, Succeeded: true, Results: []result{{}}}
}

func found(revision int64, k, value int, version int64) *outcome {
	o := done(revision)
	o.Results[0].Cells[k] = cell{Value: value, Version: version}
	return o
}

func TestTheCheckerTellsGoodHistoriesFromBadOnes(t *testing.T) {
	type step struct {
		t         txn
		o         *outcome
		call, ret int64
	}
	for name, test := range map[string]struct {
		steps []step
		seen  map[int]int64
		want  porcupine.CheckResult
	}{
		"one after the other":         {steps: []step{{putOf(0, 1), done(2), 1, 2}, {getOf(0), found(2, 0, 1, 1), 3, 4}}, want: porcupine.Ok},
		"a stale read":                {steps: []step{{putOf(0, 1), done(2), 1, 2}, {putOf(0, 2), done(3), 3, 4}, {getOf(0), found(3, 0, 1, 1), 5, 6}}, want: porcupine.Illegal},
		"a read of an old revision":   {steps: []step{{putOf(0, 1), done(2), 1, 2}, {putOf(1, 2), done(3), 3, 4}, {getOf(0), found(2, 0, 1, 1), 5, 6}}, want: porcupine.Illegal},
		"a lost write":                {steps: []step{{putOf(0, 1), done(2), 1, 2}, {getOf(0), done(2), 3, 4}}, want: porcupine.Illegal},
		"a read before the answer":    {steps: []step{{putOf(0, 1), done(2), 1, 9}, {getOf(0), found(2, 0, 1, 1), 3, 4}}, want: porcupine.Ok},
		"a write applied twice":       {steps: []step{{putOf(0, 1), done(2), 1, 2}, {getOf(0), found(3, 0, 1, 2), 3, 4}}, want: porcupine.Illegal},
		"two members of one commit":   {steps: []step{{putOf(0, 1), done(2), 1, 5}, {putOf(1, 2), done(2), 1, 5}}, want: porcupine.Ok},
		"write skew":                  {steps: []step{{skew(0, 1, 1), done(2), 1, 5}, {skew(1, 0, 2), done(2), 1, 5}}, want: porcupine.Illegal},
		"an unknown write, not seen":  {steps: []step{{putOf(0, 1), &outcome{Unknown: true}, 1, 2}, {getOf(0), done(1), 3, 4}}, want: porcupine.Ok},
		"an unknown write, seen":      {steps: []step{{putOf(0, 1), &outcome{Unknown: true}, 1, 2}, {getOf(0), found(2, 0, 1, 1), 3, 4}}, want: porcupine.Ok, seen: map[int]int64{1: 2}},
		"an unknown write, late":      {steps: []step{{putOf(0, 1), &outcome{Unknown: true}, 1, 2}, {getOf(0), done(1), 3, 4}, {getOf(0), found(2, 0, 1, 1), 5, 6}}, want: porcupine.Ok, seen: map[int]int64{1: 2}},
		"an unknown write, and gone":  {steps: []step{{putOf(0, 1), &outcome{Unknown: true}, 1, 2}, {getOf(0), found(2, 0, 1, 1), 3, 4}, {getOf(0), done(2), 5, 6}}, want: porcupine.Illegal, seen: map[int]int64{1: 2}},
		"a write before it was asked": {steps: []step{{getOf(1), done(5), 1, 2}, {putOf(0, 1), &outcome{Unknown: true}, 3, 4}, {getOf(0), found(6, 0, 1, 1), 5, 6}}, want: porcupine.Illegal, seen: map[int]int64{1: 4}},
		"a write that was refused":    {steps: []step{{getOf(0), found(2, 0, 1, 1), 3, 4}}, want: porcupine.Illegal},
	} {
		h := newHistory()
		for i, s := range test.steps {
			h.add(i, s.t, s.o, s.call, s.ret)
		}
		for v, r := range test.seen {
			h.see(v, r)
		}
		got, err := h.check(time.Minute)
		require.Equal(t, test.want, got, "%s: %v", name, err)
	}
	h := newHistory()
	h.see(1, 2)
	h.see(1, 3)
	got, _ := h.check(time.Minute)
	require.Equal(t, porcupine.Illegal, got, "one value written at two revisions")
}

func TestTheLogSettlesWhatItShowsAndNothingElse(t *testing.T) {
	delOf := func(k int) txn { return txn{Then: []op{{Kind: del, Key: k}}} }
	gone := func(revision, deleted int64) *outcome {
		o := done(revision)
		o.Results[0].Deleted = deleted
		return o
	}
	for name, test := range map[string]struct {
		deleted deletion
		told    int64 // how many keys the second deletion is told it deleted
		want    porcupine.CheckResult
		left    int
	}{
		"the unknown deletion was carried out":               {deletion{3, 0}, 0, porcupine.Ok, 4},
		"another call carried it out":                        {deletion{3, 0}, 1, porcupine.Ok, 3},
		"nobody carried it out, but the key is missing":      {deletion{}, 0, porcupine.Illegal, 3},
		"a key was deleted that the unknown call never took": {deletion{3, 1}, 0, porcupine.Illegal, 3},
	} {
		h := newHistory()
		h.log = &eventLog{deleted: map[deletion]bool{}}
		if test.deleted.revision > 0 {
			h.log.deleted[test.deleted] = true
		}
		h.add(0, putOf(0, 1), done(2), 1, 2)
		h.add(1, delOf(0), &outcome{Unknown: true}, 3, 4)
		h.add(2, delOf(0), gone(3, test.told), 5, 6)
		h.add(3, getOf(0), done(3), 7, 8)
		require.Len(t, h.log.effective(h), test.left, name)
		got, err := h.check(time.Minute)
		require.Equal(t, test.want, got, "%s: %v", name, err)
	}
}
