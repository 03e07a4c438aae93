package etcd

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
)

// A lateWrite is a key bound to a session's lease that an abandoned write may
// have put there, if what it holds satisfies one of matches.
type lateWrite struct {
	key     string
	matches []func(KV) bool
	kv      KV
	there   bool
}

// lateAtATime is how many of them are read or removed side by side: a member that
// goes on after a pause may have carried out many writes, and as long as they are
// there others wait behind them.
const lateAtATime = 64

// remove deletes what of late was abandoned. The first error is told, and does not
// keep the others from being removed.
func (s *Session) remove(ctx context.Context, late []*lateWrite) error {
	read := sideBySide(late, func(l *lateWrite) error {
		r, err := s.c.Get(ctx, Key(l.key))
		if err == nil {
			l.kv, l.there = r.First()
		}
		return err
	})
	ours := slices.DeleteFunc(late, func(l *lateWrite) bool {
		return !l.there || l.kv.Lease != s.id || !slices.ContainsFunc(l.matches, func(match func(KV) bool) bool { return match(l.kv) })
	})
	removed := sideBySide(ours, func(l *lateWrite) error {
		// What was put there since is somebody's own business.
		_, err := s.c.Txn(ctx, Txn{
			If:   []Cmp{IfModRevision(Key(l.key), Equal, l.kv.ModRevision)},
			Then: []Op{Delete(Key(l.key))},
		})
		if err == nil {
			s.c.log.Debug("etcd session removed a late write", "lease", s.id.String(), "key", quoteKey(l.key))
		}
		return err
	})
	if removed != nil {
		return removed
	}
	return read
}

// sideBySide does f for each of late and gives the first error.
func sideBySide(late []*lateWrite, f func(*lateWrite) error) error {
	var g errgroup.Group
	g.SetLimit(lateAtATime)
	for _, l := range late {
		g.Go(func() error { return f(l) })
	}
	return g.Wait()
}
