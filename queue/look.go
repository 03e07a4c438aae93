package queue

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// held is a record as an observer reads it.
type held struct {
	key      string
	consumer string // empty: without an owner
	rec      record
	mod      int64
	created  int64
}

// sight is a queue's bookkeeping as of one revision.
type sight struct {
	rev        int64
	tail, head cursorKV
	free       []held // in the order they are claimed in
	claims     []held
	consumers  []ConsumerInfo
	paused     *pausedValue
	problems   []error // records that cannot be read
}

// look reads a queue's bookkeeping. Its size is that of the consumers and their
// claims, not of the backlog.
func (q *core) look(ctx context.Context) (s *sight, err error) {
	if err := q.open(ctx); err != nil {
		return nil, err
	}
	err = anew(ctx, func() error {
		s, err = q.lookOnce(ctx)
		return err
	})
	return s, err
}

// lookOnce is look as of one revision, which may be compacted on the way.
func (q *core) lookOnce(ctx context.Context) (*sight, error) {
	k := q.keys
	res, err := q.c.Get(ctx, etcd.Prefix(k.control()))
	if err != nil {
		return nil, err
	}
	s := &sight{rev: res.Header.Revision}
	var tailKV, headKV etcd.KV
	for _, kv := range res.KVs {
		switch {
		case kv.Key == k.tail():
			tailKV = kv
		case kv.Key == k.head():
			headKV = kv
		case kv.Key == k.paused():
			s.paused = readPaused(kv)
		case strings.HasPrefix(kv.Key, k.frees()):
			s.addRecord(&s.free, kv, "")
		case strings.HasPrefix(kv.Key, k.consumers()):
			s.consumers = append(s.consumers, readPresence(strings.TrimPrefix(kv.Key, k.consumers()), kv))
		}
	}
	if s.tail, err = q.sawTail(tailKV, tailKV.Key != ""); err != nil {
		return nil, err
	}
	if s.head, err = q.sawHead(headKV, headKV.Key != ""); err != nil {
		return nil, err
	}
	for kv, err := range q.c.List(ctx, etcd.Prefix(k.claims()), etcd.ListAt(s.rev)) {
		if err != nil {
			return nil, err
		}
		owner, _, _ := strings.Cut(strings.TrimPrefix(kv.Key, k.claims()), "/")
		s.addRecord(&s.claims, kv, owner)
	}
	slices.SortStableFunc(s.free, func(a, b held) int {
		return cmp.Or(cmp.Compare(b.rec.Priority, a.rec.Priority), strings.Compare(a.key, b.key))
	})
	return s, nil
}

func (s *sight) addRecord(to *[]held, kv etcd.KV, consumer string) {
	rec, err := decodeRecord(kv.Key, kv.Value)
	if err != nil {
		s.problems = append(s.problems, err)
		return
	}
	*to = append(*to, held{key: kv.Key, consumer: consumer, rec: rec, mod: kv.ModRevision, created: kv.CreateRevision})
}

// holder finds the record that a position is in, if it is in one.
func (s *sight) holder(p int, pos int64) (held, bool) {
	for _, hs := range [][]held{s.claims, s.free} {
		for _, h := range hs {
			if h.rec.Priority == p && h.rec.holds(pos) {
				return h, true
			}
		}
	}
	return held{}, false
}

// holds reports whether a position is in one of the runs.
func (r *record) holds(pos int64) bool {
	return slices.ContainsFunc(r.Runs, func(u run) bool { return u[0] <= pos && pos < u[1] })
}

// dress fills in what the record that a job stands in tells of it.
func (h *held) dress(j *Job) {
	j.Attempt += h.rec.Crashes
	j.Suspect = h.rec.Crashes > 0
	if h.consumer != "" {
		j.State, j.Consumer, j.ClaimedSince = Claimed, h.consumer, timeAt(h.rec.Since)
		j.Attempt++
	}
}

// again repeats f as long as what it decided on has changed meanwhile.
func again(ctx context.Context, f func() error) error {
	var retries pace.Retries
	for i := 0; ; i++ {
		err := f()
		if !errors.Is(err, errMoved) {
			return err
		}
		if i < 3 {
			continue
		}
		if err := retries.Wait(ctx); err != nil {
			return err
		}
	}
}

// anew is again for what reads as of one revision, where that is compacted on the
// way: up to a revision after that one; the next is newer.
func anew(ctx context.Context, f func() error) error {
	return again(ctx, func() error {
		err := f()
		if errors.Is(err, etcd.ErrCompacted) {
			return errMoved
		}
		return err
	})
}

// A ConsumerInfo tells of a consumer that is alive.
type ConsumerInfo struct {
	ID    string // as Job.Consumer and Reclaim know it
	Host  string
	PID   int
	Note  string // what the option Note said
	Since time.Time
	// Claims is how many claim records it holds, and Jobs how many jobs stand
	// in them, those included that are done but whose neighbours are not.
	Claims int
	Jobs   int64
}

func (q *core) consumersAlive(ctx context.Context) ([]ConsumerInfo, error) {
	s, err := q.look(ctx)
	if err != nil {
		return nil, err
	}
	for i := range s.consumers {
		c := &s.consumers[i]
		for _, h := range s.claims {
			if h.consumer == c.ID {
				c.Claims++
				c.Jobs += size(h.rec.Runs)
			}
		}
	}
	return s.consumers, nil
}
