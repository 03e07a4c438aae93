package queue

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/etcd"
)

// view is what a consumer knows of the queue from its watches. The consumer's
// mutex guards it.
type view struct {
	listed    bool // the state was read
	paused    bool
	pausedRev int64
	alive     []alive         // consumers, by create revision
	free      map[string]spot // records without an owner
	gone      map[string]spot // consumers that died and may have left claims; when that was seen

	base   int64     // newest revision of the cursors
	baseAt time.Time // when it was seen

	nextDue int64 // ms; a lower bound of all due times, never if there are none
	dueRev  int64 // the revision at which c/due said so
	soon    []soonAt

	soonRev int64 // of the last due time written that was seen
	written int64 // the first of those written since what is due was looked for last

	inbox inboxView // of those who watch it
}

type alive struct {
	id      string
	created int64
}

// spot is something to be done, and since when that is known.
type spot struct {
	rec  record
	rev  int64
	seen time.Time
	bad  bool // the record cannot be read
}

type soonAt struct{ rev, due int64 }

const never = math.MaxInt64

func (v *view) reset() {
	*v = view{free: make(map[string]spot), gone: make(map[string]spot), nextDue: never, written: never, inbox: v.inbox}
}

// seeControl takes in one key below c/, as it is or as it changes.
func (c *consumer) seeControl(kv etcd.KV, deleted bool) error {
	k, v := c.q.keys, &c.view
	switch {
	case kv.Key == k.tail() || kv.Key == k.head():
		saw := c.q.sawTail
		if kv.Key == k.head() {
			saw = c.q.sawHead
		}
		if _, err := saw(kv, !deleted); err != nil {
			return err
		}
		if kv.ModRevision > v.base {
			v.base, v.baseAt = kv.ModRevision, time.Now()
		}
	case kv.Key == k.paused():
		v.paused, v.pausedRev = !deleted, kv.ModRevision
	case kv.Key == k.soon():
		v.soonRev = max(v.soonRev, kv.ModRevision)
		var s soonValue
		if !deleted && json.Unmarshal(kv.Value, &s) == nil {
			v.addSoon(soonAt{kv.ModRevision, s.Due})
		}
	case kv.Key == k.took():
		if s := v.gone[string(kv.Value)]; !deleted && s.rev <= kv.ModRevision {
			delete(v.gone, string(kv.Value))
		}
	case kv.Key == k.due():
		var d dueValue
		if !deleted && json.Unmarshal(kv.Value, &d) == nil && d.Rev > v.dueRev {
			v.setDue(d)
		}
	case strings.HasPrefix(kv.Key, k.frees()):
		if deleted {
			delete(v.free, kv.Key)
			break
		}
		r, err := decodeRecord(kv.Key, kv.Value)
		if err != nil {
			c.q.log.Error("queue consumer leaves a record alone", "queue", c.q.name, "error", err)
		}
		v.free[kv.Key] = spot{rec: r, rev: kv.ModRevision, seen: time.Now(), bad: err != nil}
	case strings.HasPrefix(kv.Key, k.consumers()):
		return c.seeConsumer(strings.TrimPrefix(kv.Key, k.consumers()), kv, deleted)
	}
	return nil
}

// seeConsumer takes in that a consumer came or went.
func (c *consumer) seeConsumer(id string, kv etcd.KV, deleted bool) error {
	v := &c.view
	i := slices.IndexFunc(v.alive, func(a alive) bool { return a.id == id })
	if deleted {
		if id == c.id && c.created != 0 && !c.stopping {
			return ErrConsumerGone
		}
		if i >= 0 {
			v.alive = slices.Delete(v.alive, i, i+1)
		}
		v.gone[id] = spot{rev: kv.ModRevision, seen: time.Now()}
		return nil
	}
	delete(v.gone, id)
	if i < 0 && kv.Lease != 0 { // otherwise it is somebody else's, and does nothing
		v.alive = append(v.alive, alive{id, kv.CreateRevision})
		slices.SortFunc(v.alive, func(a, b alive) int {
			if a.created != b.created {
				return int(min(max(a.created-b.created, -1), 1))
			}
			return strings.Compare(a.id, b.id)
		})
	}
	return nil
}

// dueValue is the value of c/due: at revision Rev nothing was due before Next.
type dueValue struct {
	Next int64 `json:"next"`
	Rev  int64 `json:"rev"`
}

// maxSoon is how many due times are kept apart until a promoter has seen them.
const maxSoon = 64

func (v *view) addSoon(s soonAt) {
	v.nextDue, v.written = min(v.nextDue, s.due), min(v.written, s.due)
	if v.soon = append(v.soon, s); len(v.soon) > maxSoon {
		// Kept as one: a due time that is looked at too early does no harm.
		v.soon[1] = soonAt{v.soon[1].rev, min(v.soon[0].due, v.soon[1].due)}
		v.soon = v.soon[1:]
	}
}

// setDue takes in what somebody found when he looked: what was written since
// counts beside it.
func (v *view) setDue(d dueValue) {
	v.dueRev, v.nextDue = d.Rev, d.Next
	v.soon = slices.DeleteFunc(v.soon, func(s soonAt) bool { return s.rev <= d.Rev })
	for _, s := range v.soon {
		v.nextDue = min(v.nextDue, s.due)
	}
}
