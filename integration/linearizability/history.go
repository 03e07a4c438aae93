package linearizability

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// A history is what happened, as the callers saw it.
type history struct {
	begin time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
	seen  map[int]int64 // the revision at which a value was written, by those who saw it
	twice error         // a value that was written at two revisions
	log   *eventLog     // nil where there is none
}

func newHistory() *history { return &history{begin: time.Now(), seen: map[int]int64{}} }

func (h *history) now() int64 { return time.Since(h.begin).Nanoseconds() }

// add notes a call that was applied, or may have been.
func (h *history) add(client int, t txn, o *outcome, call, ret int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: t, Output: o, Call: call, Return: ret})
}

// see notes that a value was found to have been written at a revision. Every
// value belongs to one call, so two revisions mean that the call was applied
// twice.
func (h *history) see(value int, revision int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r, ok := h.seen[value]; ok && r != revision && h.twice == nil {
		h.twice = fmt.Errorf("value %d was written at revision %d and at %d", value, r, revision)
	}
	h.seen[value] = revision
}

func (h *history) unknown() (n int) {
	for _, o := range h.ops {
		if told(o).Unknown {
			n++
		}
	}
	return n
}

func told(o porcupine.Operation) *outcome { return o.Output.(*outcome) }

// check decides whether some order of the calls explains what they were told:
// one that agrees with the clock, and in which the revisions of the answers
// never go back. It gives up, with Unknown, when that takes longer than limit.
func (h *history) check(limit time.Duration) (porcupine.CheckResult, error) {
	if h.twice != nil {
		return porcupine.Illegal, h.twice
	}
	ops, err := h.byRevision()
	if err != nil {
		return porcupine.Illegal, err
	}
	return porcupine.CheckOperationsTimeout(model, ops, limit), nil
}

// byRevision gives the history with times that say all that is known of the
// order. The clock alone leaves porcupine with every order of what overlapped.
// But revisions must not go back, so calls with different ones come in their
// order: that they agree with the clock is checked here, and then each
// revision gets a stretch of time of its own, in which the clock counts on.
//
// A call of unknown outcome took effect where somebody read what it wrote.
// Otherwise it comes after whatever had ended before it began, and may take
// effect as late as it likes; never is the very end.
func (h *history) byRevision() ([]porcupine.Operation, error) {
	ops := h.log.effective(h)
	for i, o := range ops {
		if call := o.Input.(txn); told(o).Unknown {
			ops[i].Output = &outcome{Unknown: true, Revision: call.writtenAt(h.seen)}
			ops[i].Return = math.MaxInt64
		}
	}
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })

	revisions := []int64{0}
	for _, o := range ops {
		revisions = append(revisions, told(o).Revision)
	}
	slices.Sort(revisions)
	revisions = slices.Compact(revisions)
	stretch := int64(math.MaxInt64) / int64(len(revisions)+1)

	// latest[i] is the greatest revision that ops[:i] were told.
	latest := make([]int64, len(ops)+1)
	for i, o := range ops {
		latest[i+1] = max(latest[i], told(o).Revision) // the unknown ones, which have not ended, are last
	}
	out := make([]porcupine.Operation, len(ops))
	for i, o := range ops {
		ended, _ := slices.BinarySearchFunc(ops, o.Call, func(x porcupine.Operation, t int64) int { return cmp.Compare(x.Return, t) })
		revision := told(o).Revision
		if told(o).Unknown && revision == 0 {
			revision = latest[ended]
		} else if latest[ended] > revision {
			return nil, fmt.Errorf("the call %s was told revision %d, although a call that had ended before it began was told %d",
				model.DescribeOperation(o.Input, o.Output), revision, latest[ended])
		}
		rank, _ := slices.BinarySearch(revisions, revision)
		out[i] = o
		out[i].Call = int64(rank)*stretch + o.Call
		switch {
		case !told(o).Unknown:
			out[i].Return = int64(rank)*stretch + o.Return
		case told(o).Revision > 0:
			out[i].Return = int64(rank+1)*stretch - 1
		}
	}
	return out, nil
}
