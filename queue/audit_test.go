package queue_test

import "github.com/quorate/quorate/internal/queueaudit"

// audit replays the server's events, and fails the test for every fault found.
// removed tells which jobs may have been cancelled or purged.
func (w *world) audit(removed ...string) *queueaudit.Audit {
	w.Helper()
	may := map[string]bool{}
	for _, id := range removed {
		may[id] = true
	}
	var events []queueaudit.Event
	for _, e := range w.srv.Events() {
		own := queueaudit.Event{Revision: e.Revision, Key: e.KV.Key, Value: e.KV.Value, Deleted: e.Deleted}
		if e.Prev != nil {
			own.Prev = e.Prev.Value
		}
		events = append(events, own)
	}
	a := queueaudit.New(data, func(id string) bool { return may[id] })
	a.Replay(events)
	for _, f := range a.Faults {
		w.Error(f)
	}
	if len(a.Faults) > 0 {
		w.FailNow()
	}
	return a
}
