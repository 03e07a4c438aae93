package line

import (
	"context"
	"time"

	"github.com/quorate/quorate/etcd"
)

// A sight is a watch that contenders of a Line use one after the other. Whoever
// knows the state as of a revision that the sight has not gone beyond needs no
// read to go on from there: all that came later is still to be delivered.
//
// In a line in constant use the same keys come again and again (see the
// package's comment), and so the same ones stand in front of each other. There
// the sights of those who have left are kept for those who come, and a contender
// costs an enqueue and a deletion, and nothing else.
type sight struct {
	w    *etcd.Watcher
	seen int64 // what has been handed out, or was before the watch, is no newer
	bad  bool  // it has ended
	kept time.Time
}

// A Line is in constant use when two of its contenders begin to wait within
// warmFor. A sight that nobody has wanted for so long is closed.
const (
	warmFor  = 250 * time.Millisecond
	mostWarm = 16
)

// sights are those that nobody uses at the moment. They are guarded by the
// Line's mu.
type sights struct {
	free   map[etcd.KeySet][]*sight
	n      int
	waited time.Time   // when somebody last began to wait
	warm   bool        // and that was soon after the one before
	timer  *time.Timer // closes those that nobody wants; nil while there are none
}

// lookOut gives a sight of set. Where it has gone beyond the revision since, as
// sight.seen tells, what came in between is to be read.
func (l *Line) lookOut(ctx context.Context, set etcd.KeySet, since int64) (*sight, error) {
	if s := l.takeSight(set, since); s != nil {
		return s, nil
	}
	w, err := l.s.Client().Watch(ctx, set)
	if err != nil {
		return nil, err
	}
	return &sight{w: w, seen: w.Created()}, nil
}

func (s *sight) next(ctx context.Context) ([]etcd.Event, error) {
	evs, err := s.w.Next(ctx)
	if err != nil {
		s.bad = ctx.Err() == nil
		return nil, err
	}
	s.seen = max(s.seen, evs.Revision)
	if n := len(evs.Events); n > 0 {
		s.seen = max(s.seen, evs.Events[n-1].KV.ModRevision)
	}
	return evs.Events, nil
}

// waits notes that somebody begins to wait.
func (l *Line) waits() {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sights.warm = now.Sub(l.sights.waited) < warmFor
	l.sights.waited = now
}

// takeSight gives a sight that is kept and has not gone beyond since.
func (l *Line) takeSight(set etcd.KeySet, since int64) *sight {
	l.mu.Lock()
	defer l.mu.Unlock()
	free := l.sights.free[set]
	for i, s := range free {
		if s.seen <= since {
			l.sights.free[set] = append(free[:i], free[i+1:]...)
			l.sights.n--
			return s
		}
	}
	return nil
}

// keepSight takes a sight back that is not used any more.
func (l *Line) keepSight(s *sight) {
	if s == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &l.sights
	if set := s.w.KeySet(); v.warm && !s.bad && set.IsSingle() && v.n < mostWarm {
		if v.free == nil {
			v.free = make(map[etcd.KeySet][]*sight)
		}
		s.kept = time.Now()
		v.free[set] = append(v.free[set], s)
		v.n++
		if v.timer == nil {
			v.timer = time.AfterFunc(warmFor, l.cool)
		}
		return
	}
	s.w.Close()
}

// cool closes the sights that nobody has wanted for a while. It does not wait
// for anything, so nobody has to wait for it.
func (l *Line) cool() {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &l.sights
	for set, free := range v.free {
		var left []*sight
		for _, s := range free {
			if time.Since(s.kept) < warmFor {
				left = append(left, s)
				continue
			}
			s.w.Close()
			v.n--
		}
		if v.free[set] = left; len(left) == 0 {
			delete(v.free, set)
		}
	}
	if v.n == 0 {
		v.timer = nil
		return
	}
	v.timer.Reset(warmFor)
}
