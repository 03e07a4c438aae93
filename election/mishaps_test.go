package election_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/linetest"
)

// An act is a story in which a mishap happens.
type act struct {
	*world
	m     linetest.Mishap
	s     *etcd.Session // of the troubled party
	ctx   context.Context
	other *etcd.Session
	last  int64            // the greatest token so far
	stale []*election.Term // that the troubled party had
}

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
	"it leads, is deposed and stands again": func(a *act) {
		e := stand(a.s)
		t := a.perhaps(a.outcome(a.start(a.ctx, e, "it")))
		heir := a.start(a.Context(), stand(a.other), "heir")
		st, err := stand(a.other).State(a.Context())
		require.NoError(a, err)
		if len(st.Candidates) > 0 {
			err := election.Depose(a.Context(), a.other.Client(), name, *st.Leader, st.Candidates[0])
			if !errors.Is(err, election.ErrChanged) { // it has gone in this very moment
				require.NoError(a, err)
			}
		}
		if t != nil {
			if err := t.Resign(a.ctx); !errors.Is(err, election.ErrDeposed) {
				a.tolerate(err)
			}
		}
		again := a.start(a.ctx, e, "it again")
		a.inAnyOrder(heir, a.leadsAndResigns, again, func(o outcome) {
			if t := a.perhaps(o); t != nil {
				a.tolerate(t.Resign(a.ctx))
			}
		})
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
	require.NoError(a, o.Err)
	a.grown(o.Got)
	a.resign(o.Got)
}

// TestWhateverBefallsAnyRequestOfAParty takes one request after the other of a
// story, and lets every mishap happen to it. Whatever the party is told must be
// true, and afterwards the election goes on.
func TestWhateverBefallsAnyRequestOfAParty(t *testing.T) {
	for story, tell := range stories {
		for _, m := range linetest.Mishaps(election.ErrDeleted) {
			if linetest.UnderRace && !m.Telling {
				continue
			}
			t.Run(story+"/"+m.Name, func(t *testing.T) {
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
func (w *world) suffer(m linetest.Mishap, step int, tell func(*act)) bool {
	v := w.Victim()
	a := &act{world: w, m: m, other: w.At(0), s: v.S, ctx: v.Ctx}
	hit := v.Befalls(m, step, func() { tell(a) })

	// The election goes on, and the next leader is the only one.
	bound, enough := context.WithTimeout(w.Context(), 2*time.Minute)
	defer enough()
	t, err := stand(a.other).Campaign(bound, nil)
	require.NoError(w, err)
	a.grown(t)
	require.True(w, w.guarded(a.other.Client(), t))
	for _, s := range a.stale {
		require.False(w, w.guarded(a.other.Client(), s), "the guard of a stale leader lets a write through")
	}
	w.resign(t)
	time.Sleep(time.Minute) // late writes, and the janitor behind them
	require.Empty(w, w.line())
	return hit
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
	if o.Err != nil {
		a.tolerate(o.Err)
		return nil
	}
	a.stale = append(a.stale, o.Got)
	time.Sleep(200 * time.Millisecond) // long enough to be watched
	g := a.guarded(a.other.Client(), o.Got)
	if g {
		a.grown(o.Got)
	}
	if err := o.Got.Err(); err != nil {
		a.tolerate(err)
	} else {
		require.True(a, g, "the guard is refused although it leads")
	}
	return o.Got
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
	a.m.Tolerates(a, err)
}
