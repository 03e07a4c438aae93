package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

// A loss is a way to lose a term, or a place in the line.
type loss struct {
	name  string
	does  func(w *world, s *etcd.Session, key string)
	cause error
}

var losses = []loss{
	{"the lease is revoked", func(w *world, s *etcd.Session, _ string) {
		require.True(w, w.Srv.RevokeLease(int64(s.Lease())))
	}, etcd.ErrSessionRevoked},
	{"the key is deleted by hand", func(w *world, _ *etcd.Session, key string) {
		require.True(w, w.Srv.Delete(key))
	}, election.ErrDeleted},
	{"the session is closed", func(w *world, s *etcd.Session, _ string) {
		require.NoError(w, s.Close(w.Context()))
	}, etcd.ErrSessionClosed},
	{"etcd can't be reached for longer than the TTL", func(w *world, _ *etcd.Session, _ string) {
		w.Srv.Pause(1)
	}, etcd.ErrSessionExpired},
}

func TestEveryLossOfATermEndsItsContextWithItsCauseAndTheGuardRefuses(t *testing.T) {
	for _, raw := range []bool{false, true} {
		for _, led := range []time.Duration{0, 10 * time.Second} { // before and after it is watched
			for _, l := range losses {
				t.Run(l.name, func(t *testing.T) {
					inBubble(t, func(w *world) {
						opts, below := []election.Option(nil), election.Root+name
						if raw {
							opts, below = append(opts, election.WithPrefix("raw")), "raw"
						}
						s, other := w.At(1), w.At(0)
						term := w.campaign(stand(s, opts...), "a")
						next := w.start(w.Context(), stand(other, opts...), "b")
						require.True(w, w.guarded(other.Client(), term))
						time.Sleep(led)
						l.does(w, s, w.lineBelow(below)[0])
						require.ErrorIs(w, w.Ended(term.Context()), l.cause)
						require.ErrorIs(w, term.Err(), election.ErrLost)
						require.ErrorIs(w, term.Err(), l.cause)
						if l.cause == etcd.ErrSessionExpired {
							w.waits(next) // it knew before the server let another lead
						}
						n := w.leads(next)
						require.Greater(w, n.Token(), term.Token())
						require.False(w, w.guarded(other.Client(), term))
						require.True(w, w.guarded(other.Client(), n))
						require.ErrorIs(w, term.Proclaim(w.Context(), []byte("stale")), l.cause)
						err := term.Resign(w.Context())
						require.ErrorIs(w, err, election.ErrLost)
						require.ErrorIs(w, err, l.cause)
						require.NoError(w, n.Err(), "a stale resignation ended a newer term")
						w.resign(n)
						require.Empty(w, w.lineBelow(below))
					}, three...)
				})
			}
		}
	}
}

// A candidate that has expired while it waited must neither lead nor wait for
// ever.
func TestEveryLossWhileWaitingEndsTheCampaignWithItsCause(t *testing.T) {
	for _, l := range losses {
		t.Run(l.name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				s, other := w.At(1), w.At(0)
				term := w.campaign(stand(other), "a")
				c := w.start(w.Context(), stand(s), "b")
				began := time.Now()
				l.does(w, s, w.line()[1])
				require.ErrorIs(w, w.fails(c), l.cause)
				require.LessOrEqual(w, time.Since(began), s.TTL())
				time.Sleep(2 * s.TTL())
				require.Len(w, w.line(), 1)
				w.resign(term)
				w.resign(w.campaign(stand(other), "c"))
			}, three...)
		})
	}
}

func TestALeaderThatWasPausedBeyondItsTTLIsNoPhantom(t *testing.T) {
	inBubble(t, func(w *world) {
		s, other := w.At(1), w.At(0)
		term := w.campaign(stand(s), "a")
		next := w.start(w.Context(), stand(other), "b")
		w.Srv.Pause(1)
		// Nothing else in the bubble runs between the deadline and the look:
		// this goroutine does not block.
		time.Sleep(time.Until(s.Deadline()) - time.Nanosecond)
		require.NoError(w, term.Err())
		time.Sleep(time.Nanosecond)
		require.ErrorIs(w, term.Err(), etcd.ErrSessionExpired)
		require.Error(w, term.Context().Err())
		w.waits(next)
		n := w.leads(next)
		l, err := stand(other).Leader(w.Context())
		require.NoError(w, err)
		require.Equal(w, "b", string(l.Value))
		w.resign(n)
		w.Srv.Resume(1)
	}, three...)
}

func TestSomebodyElsesBytesUnderTheLeadersKeyEndTheTermAndNameTheKey(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		term := w.campaign(stand(s), "a")
		time.Sleep(time.Second)
		key := w.line()[0]
		w.Srv.Put(key, []byte("{"))
		require.ErrorContains(w, w.Ended(term.Context()), key)
		require.False(w, w.guarded(s.Client(), term))
		require.ErrorIs(w, term.Resign(w.Context()), election.ErrLost)
		kv, ok := w.Srv.Get(key)
		require.True(w, ok, "it was destroyed")
		require.Equal(w, "{", string(kv.Value))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		_, err := stand(s).Campaign(ctx, nil)
		require.ErrorContains(w, err, key)
	})
}

func TestResigningWorksWhileEtcdIsFullAndCampaigningSaysWhyItDoesNot(t *testing.T) {
	inBubble(t, func(w *world) {
		e := stand(w.Session())
		a := w.campaign(e, "a")
		c := w.start(w.Context(), stand(w.Session()), "b")
		w.Srv.SetNoSpace(true)
		w.resign(a)
		b := w.leads(c)
		require.ErrorIs(w, b.Proclaim(w.Context(), []byte("x")), etcd.ErrNoSpace)
		require.NoError(w, b.Err())
		w.resign(b)
		_, err := e.Campaign(w.Context(), nil)
		require.ErrorIs(w, err, etcd.ErrNoSpace)
		w.Srv.SetNoSpace(false)
		require.Empty(w, w.line())
		w.resign(w.campaign(e, "a"))
	})
}
