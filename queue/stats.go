package queue

import (
	"context"
	"time"

	"github.com/quorate/quorate/etcd"
)

// Stats tells how many jobs there are, as of one revision.
type Stats struct {
	// Ready counts jobs that wait to be claimed. Beyond a backlog of 50,000 it
	// is reckoned from positions, which Estimated tells: jobs that were cancelled
	// in the middle of the queue are then counted still.
	Ready     int64
	Claimed   int64
	Delayed   int64
	Dead      int64
	Estimated bool
	// ByPriority divides Ready, but for the jobs of EnqueueOp that no consumer
	// has brought into the queue yet, which Inbox counts.
	ByPriority [MaxPriority + 1]int64
	Inbox      int64
	// Suspect counts ready jobs whose consumer died, to be claimed alone.
	Suspect int64
	// Consumers that are alive, and Claims, the records that they hold.
	Consumers int
	Claims    int
	// OldestReady is how long ago the first job in line was enqueued; 0 if none
	// is ready.
	OldestReady time.Duration
	// EnqueueRate and ClaimRate are jobs a second since ten to twenty seconds ago,
	// or since earlier where there were none for so long.
	EnqueueRate float64
	ClaimRate   float64
	Paused      bool
	PauseReason string
	PausedSince time.Time
}

// countUpTo is how long a backlog is counted instead of reckoned.
const countUpTo = 50000

func (q *core) stats(ctx context.Context) (st Stats, err error) {
	err = anew(ctx, func() error {
		st, err = q.statsOnce(ctx)
		return err
	})
	return st, err
}

// statsOnce is stats as of one revision, which may be compacted on the way.
func (q *core) statsOnce(ctx context.Context) (Stats, error) {
	s, err := q.look(ctx)
	if err != nil {
		return Stats{}, err
	}
	k, now := q.keys, time.Now()
	st := Stats{
		Consumers: len(s.consumers), Claims: len(s.claims),
		EnqueueRate: s.tail.rate(now), ClaimRate: s.head.rate(now),
	}
	if s.paused != nil {
		st.Paused, st.PauseReason, st.PausedSince = true, s.paused.Reason, timeAt(s.paused.Since)
	}
	n := counter{q: q, rev: s.rev}
	n.add(upTo(k.laters(), 0, never), &st.Delayed) // other keys are nobody's
	n.add(etcd.Prefix(k.deads()), &st.Dead)
	n.add(etcd.Prefix(k.inbox()), &st.Inbox)
	for _, h := range s.claims {
		for _, r := range h.rec.Runs {
			n.add(k.span(h.rec.Priority, r), &st.Claimed)
		}
	}
	for _, h := range s.free {
		for _, r := range h.rec.Runs {
			into := []*int64{&st.ByPriority[h.rec.Priority]}
			if h.rec.Crashes > 0 {
				into = append(into, &st.Suspect)
			}
			n.add(k.span(h.rec.Priority, r), into...)
		}
	}
	for p := range levels {
		behind := run{s.head.Next[p], s.tail.Next[p]}
		switch d := behind.len(); {
		case d <= 0:
		case d <= countUpTo:
			n.add(k.span(p, behind), &st.ByPriority[p])
		default:
			st.ByPriority[p] += d
			st.Estimated = true
		}
	}
	if err := n.count(ctx); err != nil {
		return Stats{}, err
	}
	st.Ready = st.Inbox
	for _, r := range st.ByPriority {
		st.Ready += r
	}
	if st.Ready > 0 {
		if st.OldestReady, err = q.oldest(ctx, s, now); err != nil {
			return Stats{}, err
		}
	}
	return st, nil
}

// A counter counts the keys of several sets as of one revision, many at a time.
type counter struct {
	q    *core
	rev  int64
	sets []etcd.Op
	into [][]*int64
}

func (n *counter) add(set etcd.KeySet, into ...*int64) {
	n.sets = append(n.sets, etcd.Get(set, etcd.CountOnly(), etcd.WithRevision(n.rev)))
	n.into = append(n.into, into)
}

func (n *counter) count(ctx context.Context) error {
	const many = 100
	for len(n.sets) > 0 {
		c := min(len(n.sets), many)
		res, err := n.q.c.Txn(ctx, etcd.Txn{Then: n.sets[:c]})
		if err != nil {
			return err
		}
		for i, r := range res.Results {
			for _, into := range n.into[i] {
				*into += r.Get.Count
			}
		}
		n.sets, n.into = n.sets[c:], n.into[c:]
	}
	return nil
}

// oldest finds how old the oldest is of the jobs that are next in line.
func (q *core) oldest(ctx context.Context, s *sight, now time.Time) (time.Duration, error) {
	var first []etcd.Op
	at := func(set etcd.KeySet) {
		if len(first) < 100 {
			first = append(first, etcd.Get(set, etcd.WithLimit(1), etcd.WithRevision(s.rev)))
		}
	}
	for p := range levels {
		if from, to := s.head.Next[p], s.tail.Next[p]; from < to {
			at(q.keys.span(p, run{from, min(to, from+countUpTo)}))
		}
	}
	for _, h := range s.free {
		at(q.keys.span(h.rec.Priority, h.rec.Runs[0]))
	}
	at(etcd.Prefix(q.keys.inbox()))
	res, err := q.c.Txn(ctx, etcd.Txn{Then: first})
	if err != nil {
		return 0, err
	}
	var age time.Duration
	for _, r := range res.Results {
		if kv, ok := r.Get.First(); ok {
			if env, err := decodeEnvelope(kv.Value); err == nil {
				age = max(age, now.Sub(timeAt(env.At)))
			}
		}
	}
	return age, nil
}
