package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// waiting gives the candidate that waits with that value.
func (w *world) waiting(e *election.Election, value string) election.Candidate {
	w.Helper()
	cs, err := e.Candidates(w.Context())
	require.NoError(w, err)
	for _, c := range cs {
		if string(c.Value) == value {
			return c
		}
	}
	w.Fatalf("no candidate %q", value)
	return election.Candidate{}
}

func TestATransferMakesTheNamedCandidateLeadWithoutAVacancyAndKeepsTheOthersPlaces(t *testing.T) {
	bothWays(t, func(w *world) {
		e := stand(w.Session())
		obs := w.observe(w.Client())
		obs.sees(election.Vacant, "")
		a := w.campaign(e, "a")
		b := w.start(w.Context(), stand(w.Session()), "b")
		c := w.start(w.Context(), stand(w.Session(), election.WithMetadata(map[string]string{"k": "v"})), "c")
		d := w.start(w.Context(), stand(w.Session()), "d")
		obs.sees(election.Elected, "a")

		require.NoError(w, a.Transfer(w.Context(), w.waiting(e, "c")))
		require.ErrorIs(w, a.Err(), election.ErrTransferred)
		require.ErrorIs(w, context.Cause(a.Context()), election.ErrTransferred)
		cTerm := w.leads(c)
		ev := obs.sees(election.Elected, "c")
		require.True(w, ev.Transferred)
		require.Equal(w, cTerm.Token(), ev.Revision)
		require.Equal(w, "v", ev.Leader.Metadata["k"])
		require.Greater(w, cTerm.Token(), a.Token())
		require.False(w, w.guarded(w.Client(), a))
		require.True(w, w.guarded(w.Client(), cTerm))
		require.NoError(w, a.Resign(w.Context()), "after a transfer there is nothing to resign")
		require.NoError(w, cTerm.Err())
		w.waits(b)
		w.waits(d)

		require.NoError(w, cTerm.Proclaim(w.Context(), []byte("c2")))
		obs.sees(election.Proclaimed, "c2")
		w.resign(cTerm)
		bTerm := w.leads(b)
		require.Greater(w, bTerm.Token(), cTerm.Token())
		obs.sees(election.Elected, "b")
		w.resign(bTerm)
		dTerm := w.leads(d)
		require.Greater(w, dTerm.Token(), bTerm.Token())
		w.resign(dTerm)
		obs.sees(election.Elected, "d")
		obs.sees(election.Vacant, "")
		require.Empty(w, w.line())
	})
}

// The leader's key comes back to the lease that it had: its first term must not
// come back with it.
func TestAGuardStaysBrokenWhenTheLeadershipComesBackToTheSameSession(t *testing.T) {
	bothWays(t, func(w *world) {
		first, second := w.Session(), w.Session()
		c := w.Client()
		a := w.campaign(stand(first), "a")
		terms := []*election.Term{a}
		last := a
		for i := range 4 {
			e := stand(first)
			if i%2 == 0 {
				e = stand(second)
			}
			next := w.start(w.Context(), e, "next")
			require.NoError(w, last.Transfer(w.Context(), w.waiting(e, "next")))
			last = w.leads(next)
			terms = append(terms, last)
			for j, old := range terms {
				require.Equal(w, j == len(terms)-1, w.guarded(c, old), "term %d of %d", j, len(terms))
				if j > 0 {
					require.Greater(w, old.Token(), terms[j-1].Token())
				}
			}
			for _, old := range terms[:len(terms)-1] {
				require.NoError(w, old.Resign(w.Context()))
				require.ErrorIs(w, old.Proclaim(w.Context(), nil), election.ErrTransferred)
			}
			require.NoError(w, last.Err())
		}
		w.resign(last)
		require.Empty(w, w.line())
	})
}

func TestATransferToACandidateOfTheSameSession(t *testing.T) {
	bothWays(t, func(w *world) {
		e := stand(w.Session())
		a := w.campaign(e, "a")
		next := w.start(w.Context(), e, "b")
		require.NoError(w, a.Transfer(w.Context(), w.waiting(e, "b")))
		b := w.leads(next)
		require.False(w, w.guarded(w.Client(), a))
		l, err := e.Leader(w.Context())
		require.NoError(w, err)
		require.ErrorIs(w, b.Transfer(w.Context(), l), election.ErrNoCandidate, "it leads itself")
		require.True(w, w.guarded(w.Client(), b))
		w.resign(b)
		require.Empty(w, w.line())
	})
}

func TestATransferToACandidateThatHasLeftLeavesTheTermAsItWas(t *testing.T) {
	bothWays(t, func(w *world) {
		e := stand(w.Session())
		a := w.campaign(e, "a")
		ctx, cancel := context.WithCancel(w.Context())
		c := w.start(ctx, stand(w.Session()), "b")
		b := w.waiting(e, "b")
		cancel()
		require.ErrorIs(w, w.fails(c), context.Canceled)
		require.ErrorIs(w, a.Transfer(w.Context(), b), election.ErrNoCandidate)
		require.ErrorIs(w, a.Transfer(w.Context(), election.Candidate{}), election.ErrNoCandidate)
		l, err := e.Leader(w.Context())
		require.NoError(w, err)
		require.ErrorIs(w, a.Transfer(w.Context(), election.Candidate{Key: l.Key, Created: l.Created + 1}), election.ErrNoCandidate)
		require.ErrorIs(w, a.Transfer(w.Context(), l), election.ErrNoCandidate, "it leads itself")
		require.NoError(w, a.Err())
		require.True(w, w.guarded(w.Client(), a))
		w.resign(a)
	})
}

func TestATransferToACandidateThatLeavesInThatMomentResigns(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.At(1)
		e := stand(s)
		a := w.campaign(e, "a")
		gone := w.start(w.Context(), stand(w.At(0)), "gone")
		next := w.start(w.Context(), stand(w.At(2)), "next")
		to := w.waiting(e, "gone")
		hold := make(chan struct{})
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, Hold: hold})
		done := make(chan error, 1)
		go func() { done <- a.Transfer(w.Context(), to) }()
		require.NoError(w, in.Await(w.Context(), 1))
		require.ErrorIs(w, a.Err(), election.ErrTransferred, "the context ends before the commit is sent")
		w.Srv.Delete(to.Key)
		w.Settle()
		close(hold)
		require.ErrorIs(w, <-done, election.ErrNoCandidate)
		require.ErrorIs(w, w.fails(gone), election.ErrDeleted)
		n := w.leads(next)
		require.False(w, w.guarded(w.Client(), a))
		w.resign(n)
		require.Empty(w, w.line())
	}, three...)
}

// Whatever happens to the request of a transfer, exactly one leads afterwards.
func TestATransferWhoseReplyIsLostIsResolved(t *testing.T) {
	for name, f := range map[string]etcdtest.Fault{
		"the reply is lost":        {LoseReply: true},
		"the request is lost":      {LoseRequest: true},
		"the reply comes too late": {DelayReply: 8 * time.Second},
		"the request is too late":  {Delay: 8 * time.Second},
		"garbage after the commit": {Commit: true, Reply: etcdtest.TextReply(502, "text/html", "<html>bad gateway</html>")},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(w *world) {
				e := stand(w.At(1))
				a := w.campaign(e, "a")
				b := w.start(w.Context(), stand(w.At(0)), "b")
				c := w.start(w.Context(), stand(w.At(0)), "c")
				to := w.waiting(e, "c")
				f.Members, f.Path, f.Times = []int{1}, "/v3/kv/txn", 1
				w.Srv.Inject(f)
				require.NoError(w, a.Transfer(w.Context(), to))
				cTerm := w.leads(c)
				w.waits(b)
				require.False(w, w.guarded(w.Client(), a))
				require.True(w, w.guarded(w.Client(), cTerm))
				w.resign(cTerm)
				w.resign(w.leads(b))
				time.Sleep(time.Minute)
				require.Empty(w, w.line())
			}, three...)
		})
	}
}

func TestATransferThatIsGivenUpLeavesSomebodyLeading(t *testing.T) {
	for name, late := range map[string]bool{"carried out late": true, "never carried out": false} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(w *world) {
				e := stand(w.At(1))
				a := w.campaign(e, "a")
				b := w.start(w.Context(), stand(w.At(0)), "b")
				c := w.start(w.Context(), stand(w.At(0)), "c")
				to := w.waiting(e, "c")
				_, apply := w.Late()
				ctx, cancel := context.WithTimeout(w.Context(), time.Second)
				defer cancel()
				require.ErrorIs(w, a.Transfer(ctx, to), context.DeadlineExceeded)
				bTerm := w.leads(b) // it was resigned
				if late {
					apply()
				}
				time.Sleep(time.Minute)
				require.NoError(w, bTerm.Err())
				require.True(w, w.guarded(w.Client(), bTerm))
				w.waits(c)
				w.resign(bTerm)
				w.resign(w.leads(c))
				require.Empty(w, w.line())
				if !late {
					apply()
				}
			}, three...)
		})
	}
}

func TestBelowARawPrefixNothingIsHandedOver(t *testing.T) {
	bothWays(t, func(w *world) {
		raw := election.WithPrefix("old/election")
		c := w.Client()
		e := stand(w.Session(), raw)
		a := w.campaign(e, "a")
		b := w.start(w.Context(), stand(w.Session(), raw), "b")
		s, err := election.Look(w.Context(), c, name, raw)
		require.NoError(w, err)
		require.ErrorIs(w, a.Transfer(w.Context(), s.Candidates[0]), election.ErrRawPrefix)
		require.ErrorIs(w, election.Ask(w.Context(), c, name, *s.Leader, s.Candidates[0], raw), election.ErrRawPrefix)
		require.ErrorIs(w, election.Depose(w.Context(), c, name, *s.Leader, s.Candidates[0], raw), election.ErrRawPrefix)
		require.NoError(w, a.Err())
		w.resign(a)
		w.resign(w.leads(b))
	})
}

func TestACandidateOfAnotherProgramIsNotMadeLeader(t *testing.T) {
	bothWays(t, func(w *world) {
		e := stand(w.Session())
		a := w.campaign(e, "a")
		w.Srv.Put(election.Root+name+"/1234", []byte("somebody"))
		w.Srv.Put(election.Root+name+"/5678", []byte(`{"kind":"candidate"}`)) // bound to no lease
		_, err := w.Client().Put(w.Context(), election.Root+name+"/9012", []byte(`{"kind":"writer"}`), etcd.WithLease(w.Session().Lease()))
		require.NoError(w, err)
		cs, err := e.Candidates(w.Context())
		require.NoError(w, err)
		require.Len(w, cs, 3)
		require.True(w, cs[0].Native)
		for _, c := range cs {
			require.ErrorIs(w, a.Transfer(w.Context(), c), election.ErrNoCandidate, c.Key)
			require.NoError(w, a.Err(), c.Key)
		}
		w.resign(a)
	})
}

// A Transfer that is given up before it came to anything leaves the term as it
// was: its health check as well, and what that does in the end.
func TestATransferThatIsGivenUpBeforeItBeganLeavesTheTermAsItWas(t *testing.T) {
	bothWays(t, func(w *world) {
		var p patient
		a := w.campaign(stand(w.At(1), p.option()), "a")
		b := w.start(w.Context(), stand(w.At(0)), "b")
		to := w.waiting(stand(w.At(0)), "b")
		hold := make(chan struct{})
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, Hold: hold})
		said := make(chan error, 1)
		go func() { said <- a.Proclaim(w.Context(), []byte("a2")) }()
		require.NoError(w, in.Await(w.Context(), 1))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		require.ErrorIs(w, a.Transfer(ctx, to), context.DeadlineExceeded)
		require.NoError(w, a.Err())
		close(hold)
		require.NoError(w, <-said)
		p.sick.Store(true)
		require.ErrorIs(w, w.Ended(a.Context()), election.ErrUnhealthy)
		w.resign(w.leads(b)) // after its grace
		require.ErrorIs(w, a.Resign(w.Context()), election.ErrUnhealthy)
		require.Empty(w, w.line())
	}, three...)
}
