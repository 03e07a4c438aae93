package etcd

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// A janitor removes what abandoned writes of a session leave behind.
//
// Looking once is not enough: a member that was paused can carry out a write
// long after whoever asked for it has gone, and after whatever was sent to
// clean up has been answered. So the janitor goes on looking as long as the
// session lives. The keys abandoned last are watched, and a late write is
// removed as soon as it shows. Beside that it looks for all of them, often at
// first, when a write is most likely to be late, and then ever more seldom,
// with one request whatever their number.
type janitor struct {
	mu    sync.Mutex
	keys  map[string]abandoned
	kinds []kind        // what else is to be removed, oldest first
	order []string      // the keys, oldest first
	fresh []string      // those of them that are to be watched
	wake  chan struct{} // holds a token when there is something to look for; nil until the first Abandon
	ended chan struct{} // closed when the goroutine has ended

	watched []watchedKey // oldest first; only the goroutine touches it
	watches sync.WaitGroup
}

type watchedKey struct {
	key string
	end context.CancelFunc
}

// abandoned says which value under a key is ours; nil is any.
type abandoned struct{ value []byte }

const (
	// maxAbandoned bounds how many keys a session looks after.
	maxAbandoned = 1 << 16
	// maxWatched bounds how many of them it watches.
	maxWatched = 64
	// firstLook is how soon after an Abandon the janitor looks again.
	firstLook = 50 * time.Millisecond
)

// Abandon hands over a write of unknown outcome that nobody waits for any more:
// one that would create key, bound to the session's lease, with the given value
// (nil: whatever its value). As long as the session lives it looks for that key
// and deletes it when it appears; when the session ends, the key ends with its
// lease. It is meant for the authors of recipes: a contender whose caller gave
// up must not stand in the line.
//
// The key and value must be of this one write alone, as with a nonce in either:
// what appears there, bound to this session's lease, is taken for the abandoned
// write. Abandon returns at once. Of more than 65536 abandoned writes in the
// life of a session the oldest are forgotten, which is logged.
func (s *Session) Abandon(key string, value []byte) {
	j := &s.janitor
	j.mu.Lock()
	defer j.mu.Unlock()
	if key == "" || !s.hasJanitor() {
		return
	}
	if _, ok := j.keys[key]; !ok {
		j.order = append(j.order, key)
		if j.fresh = append(j.fresh, key); len(j.fresh) > maxWatched {
			j.fresh = j.fresh[1:]
		}
	}
	j.keys[key] = abandoned{bytes.Clone(value)}
	for len(j.keys) > maxAbandoned {
		s.c.log.Warn("etcd session forgets an abandoned write: there are too many", "lease", s.id.String(), "key", quoteKey(j.order[0]))
		delete(j.keys, j.order[0])
		j.order = j.order[1:]
	}
	j.nudge()
}

// hasJanitor starts the janitor if it does not run yet, and reports whether it
// does. The caller holds its mutex.
func (s *Session) hasJanitor() bool {
	j := &s.janitor
	if s.ctx.Err() != nil { // nobody waits for a new goroutine
		return false
	}
	if j.wake == nil {
		j.keys, j.wake, j.ended = make(map[string]abandoned), make(chan struct{}, 1), make(chan struct{})
		if s.c.start(s.clean) != nil {
			close(j.ended)
			return false // the client is closed, and the session with it
		}
	}
	return true
}

func (j *janitor) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// wait waits for the janitor's goroutine, if there is one.
func (j *janitor) wait() {
	j.mu.Lock()
	ended := j.ended
	j.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// clean looks for abandoned keys until the session ends.
func (s *Session) clean() {
	j := &s.janitor
	defer close(j.ended)
	defer j.watches.Wait() // they end with the session, or the client
	pause := firstLook
	for {
		s.watchFresh()
		if err := s.sweep(s.ctx); err != nil && s.ctx.Err() == nil {
			s.c.log.Debug("etcd session could not look for abandoned writes", "lease", s.id.String(), "error", err)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
			pause = min(2*pause, max(s.ttl, firstLook))
		case <-j.wake:
			pause = firstLook
		case <-s.ctx.Done():
			t.Stop()
			return
		case <-s.c.life.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// watchFresh begins to watch the keys abandoned last, in place of the oldest.
func (s *Session) watchFresh() {
	j := &s.janitor
	j.mu.Lock()
	fresh := j.fresh
	j.fresh = nil
	j.mu.Unlock()
	for _, key := range fresh {
		ctx, end := context.WithCancel(s.ctx)
		j.watched = append(j.watched, watchedKey{key, end})
		j.watches.Go(func() {
			defer end()
			s.watchKey(ctx, key)
		})
	}
	for len(j.watched) > maxWatched {
		j.watched[0].end()
		j.watched = j.watched[1:]
	}
}

// watchKey has the janitor look as soon as key is bound to the session's lease.
// If it cannot be watched the janitor still looks from time to time.
func (s *Session) watchKey(ctx context.Context, key string) {
	w, err := s.c.Watch(ctx, Key(key), PutsOnly())
	if err == nil {
		defer w.Close()
		s.janitor.nudge() // for what came before the watch
		var batch Events
		for err == nil {
			batch, err = w.Next(ctx)
			for _, ev := range batch.Events {
				if ev.KV.Lease == s.id {
					s.janitor.nudge()
				}
			}
		}
	}
	if ctx.Err() == nil {
		s.c.log.Debug("etcd session does not watch an abandoned write", "lease", s.id.String(), "key", quoteKey(key), "error", err)
	}
}

// sweep removes every abandoned key that is there now.
func (s *Session) sweep(ctx context.Context) error {
	info, err := s.c.TimeToLive(ctx, s.id, WithKeys())
	if err != nil {
		return err
	}
	var late []*lateWrite
	for _, key := range info.Keys {
		s.janitor.mu.Lock()
		a, ok := s.janitor.keys[key]
		matches := s.janitor.matches(key)
		s.janitor.mu.Unlock()
		if ok {
			matches = append(matches, func(kv KV) bool { return a.value == nil || bytes.Equal(kv.Value, a.value) })
		}
		if len(matches) > 0 {
			late = append(late, &lateWrite{key: key, matches: matches})
		}
	}
	return s.remove(ctx, late)
}
