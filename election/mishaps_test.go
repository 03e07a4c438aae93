package election_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A mishap befalls one request of a party: one after the other each of those it
// sends in a story.
type mishap struct {
	name string
	// fault gives what happens to the request.
	fault etcdtest.Fault
	// does happens while the request is held up, before it is carried out or
	// (after) before it is answered.
	does  func(*act)
	after bool
	// permits says which errors the party may see.
	permits []error
}

// An act is a story in which a mishap happens.
type act struct {
	*world
	m      mishap
	s      *etcd.Session // of the troubled party
	other  *etcd.Session
	ctx    context.Context // of the troubled party's calls
	cancel context.CancelFunc
	last   int64 // the greatest token so far
}

var gone = []error{etcd.ErrSessionRevoked, etcd.ErrSessionExpired, election.ErrDeleted}

var mishaps = []mishap{
	{name: "the request is lost", fault: etcdtest.Fault{LoseRequest: true}},
	{name: "the reply is lost", fault: etcdtest.Fault{LoseReply: true}},
	{name: "the reply is cut short", fault: etcdtest.Fault{CutReply: 20}},
	{name: "the reply is later than an attempt lasts", fault: etcdtest.Fault{DelayReply: 8 * time.Second}},
	{name: "the request is late", fault: etcdtest.Fault{Delay: 3 * time.Second}},
	{name: "the answer is garbage after the commit", fault: etcdtest.Fault{Commit: true, Reply: etcdtest.TextReply(502, "text/html", "<html>bad gateway</html>")}},
	{name: "the context ends before it is carried out", does: func(a *act) { a.cancel() }, permits: []error{context.Canceled}},
	{name: "the context ends before the answer", does: func(a *act) { a.cancel() }, after: true, permits: []error{context.Canceled}},
	{name: "the lease is revoked before it is carried out", does: revoke, permits: gone},
	{name: "the lease is revoked before the answer", does: revoke, after: true, permits: gone},
	{name: "the watches break", does: func(a *act) { a.srv.DropWatches() }},
	{name: "the history is compacted", does: func(a *act) { _ = a.srv.Compact(a.srv.Revision()) }},
	{name: "the member is killed and comes back", does: func(a *act) { a.srv.Kill(1); time.Sleep(2 * time.Second); a.srv.Restart(1) }},
	{name: "the member is paused beyond the TTL", does: func(a *act) { a.srv.Pause(1); time.Sleep(30 * time.Second); a.srv.Resume(1) }, permits: append(gone, etcd.ErrUnavailable)},
}

func revoke(a *act) { a.srv.RevokeLease(int64(a.s.Lease())) }

// The stories in which a party has to do with elections. Each gives the terms
// that the troubled party and the others got.
var stories = map[string]func(*act){
	"it waits, leads, proclaims and resigns": func(a *act) {
		before := a.campaign(stand(a.other), "before")
		a.grown(before)
		c := a.start(a.ctx, stand(a.s), "it")
		time.Sleep(time.Second)
		a.resign(before)
		if t := a.perhaps(a.outcome(c)); t != nil {
			a.tolerate(t.Proclaim(a.ctx, []byte("it says")))
			a.tolerate(t.Resign(a.ctx))
		}
	},
	"it waits and is handed the leadership": func(a *act) {
		before := a.campaign(stand(a.other), "before")
		a.grown(before)
		ahead := a.start(a.Context(), stand(a.other), "ahead")
		c := a.start(a.ctx, stand(a.s), "it")
		var to election.Candidate
		for range 30 { // as long as that takes
			cs, err := stand(a.other).Candidates(a.Context())
			require.NoError(a, err)
			for _, cand := range cs {
				if string(cand.Value) == "it" {
					to = cand
				}
			}
			if to.Key != "" {
				break
			}
			time.Sleep(time.Second)
		}
		if err := before.Transfer(a.Context(), to); err != nil {
			require.ErrorIs(a, err, election.ErrNoCandidate)
			require.NoError(a, before.Resign(a.Context()))
		}
		a.inAnyOrder(c, func(o outcome) {
			if t := a.perhaps(o); t != nil {
				a.tolerate(t.Proclaim(a.ctx, []byte("it says")))
				a.tolerate(t.Resign(a.ctx))
			}
		}, ahead, func(o outcome) { a.leadsAndResigns(o) })
	},
	"it leads and hands over": func(a *act) {
		t := a.perhaps(a.outcome(a.start(a.ctx, stand(a.s), "it")))
		ahead := a.start(a.Context(), stand(a.other), "ahead")
		c := a.start(a.Context(), stand(a.other), "heir")
		if t != nil {
			a.tolerate(t.Transfer(a.ctx, a.waiting(stand(a.other), "heir")))
			if t.Err() == nil { // it did not come so far
				a.resign(t)
			}
		}
		then := func(o outcome) {
			a.leadsAndResigns(o)
			if t != nil {
				require.False(a, a.guarded(a.other.Client(), t), "two leaders")
			}
		}
		a.inAnyOrder(ahead, then, c, then)
	},
}

// inAnyOrder waits for two campaigns.
func (a *act) inAnyOrder(x <-chan outcome, onX func(outcome), y <-chan outcome, onY func(outcome)) {
	a.Helper()
	for range 2 {
		select {
		case o := <-x:
			onX(o)
			x = nil
		case o := <-y:
			onY(o)
			y = nil
		case <-time.After(2 * time.Minute):
			a.Fatal("nobody leads")
		}
	}
}

// leadsAndResigns is what a party does that nothing befalls.
func (a *act) leadsAndResigns(o outcome) {
	a.Helper()
	require.NoError(a, o.err)
	a.grown(o.t)
	a.resign(o.t)
}

// TestWhateverBefallsAnyRequestOfAParty takes one request after the other of a
// story, and lets every mishap happen to it. Whatever the party is told must be
// true, and afterwards the election goes on.
func TestWhateverBefallsAnyRequestOfAParty(t *testing.T) {
	for story, tell := range stories {
		for _, m := range mishaps {
			t.Run(story+"/"+m.name, func(t *testing.T) {
				for step := 0; ; step++ {
					hit := false
					inBubble(t, func(w *world) { hit = w.suffer(m, step, tell) }, three...)
					if !hit {
						if step < 3 {
							t.Fatalf("the party sent only %d requests", step)
						}
						break
					}
				}
			})
		}
	}
}

// suffer tells a story in which the troubled party's request number step suffers
// m. It reports whether there was such a request.
func (w *world) suffer(m mishap, step int, tell func(*act)) bool {
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	a := &act{world: w, m: m, other: w.at(0), s: w.at(1), ctx: ctx, cancel: cancel}
	f := m.fault
	f.Members, f.Skip, f.Times = []int{1}, step, 1
	hold := make(chan struct{})
	switch {
	case m.does != nil && m.after:
		f.HoldReply = hold
	case m.does != nil:
		f.Hold = hold
	}
	in := w.srv.Inject(f)
	watching, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	defer func() { stop(); <-done }()
	go func() {
		defer close(done)
		defer close(hold)
		if m.does != nil && in.Await(watching, 1) == nil {
			m.does(a)
		}
	}()
	tell(a)
	in.Remove()

	// The election goes on, and the next leader is the only one.
	bound, enough := context.WithTimeout(w.Context(), 2*time.Minute)
	defer enough()
	t, err := stand(a.other).Campaign(bound, nil)
	require.NoError(w, err)
	a.grown(t)
	w.resign(t)
	time.Sleep(time.Minute) // late writes, and the janitor behind them
	require.Empty(w, w.line())
	return in.Hits() > 0
}

// outcome waits for a campaign.
func (a *act) outcome(c <-chan outcome) outcome {
	a.Helper()
	select {
	case o := <-c:
		return o
	case <-time.After(2 * time.Minute):
		a.Fatal("no outcome")
		return outcome{}
	}
}

// perhaps gives the term of the troubled party, if it got one.
func (a *act) perhaps(o outcome) *election.Term {
	a.Helper()
	if o.err != nil {
		a.tolerate(o.err)
		return nil
	}
	time.Sleep(200 * time.Millisecond) // long enough to be watched
	g := a.guarded(a.other.Client(), o.t)
	if g {
		a.grown(o.t)
	}
	if err := o.t.Err(); err != nil {
		a.tolerate(err)
	} else {
		require.True(a, g, "the guard is refused although it leads")
	}
	return o.t
}

// grown asserts that tokens grow.
func (a *act) grown(t *election.Term) {
	a.Helper()
	require.Greater(a, t.Token(), a.last)
	a.last = t.Token()
}

// tolerate asserts that an error is one of those that the mishap permits.
func (a *act) tolerate(err error) {
	a.Helper()
	for _, p := range a.m.permits {
		if errors.Is(err, p) {
			return
		}
	}
	require.NoError(a, err, "not survived")
}
