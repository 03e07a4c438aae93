package election_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/linetest"
)

// Candidates come, give up, resign, hand over, are deposed and asked, many at a time,
// while watches break and replies are lost. Whenever all is quiet, whoever stands
// first must lead, and nobody else, and an observer must know.
func TestWhoeverStandsFirstLeadsWhenAllIsQuiet(t *testing.T) {
	seeds := uint64(16)
	if linetest.UnderRace {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			inTime(t, linetest.LatencyOf(seed), func(w *world) {
				admin := w.ClientAt(0)
				m := &meeting{world: w, rnd: rand.New(rand.NewPCG(seed, 3)), admin: admin, obs: w.observe(admin)}
				for i := range 3 {
					m.es = append(m.es, stand(w.At(i)))
				}
				for range 15 {
					m.stir(seed%2 == 1)
					m.check()
				}
				m.leave()
			}, three...)
		})
	}
}

type meeting struct {
	*world
	rnd     *rand.Rand
	es      []*election.Election // of a session each
	admin   *etcd.Client
	obs     *audience
	seen    string // who leads, as the observer says
	n       int
	waiting []campaigner
	terms   []*election.Term
}

// A campaigner waits until it leads, or gives up.
type campaigner struct {
	got    <-chan outcome
	giveUp context.CancelFunc
}

// hasty does not wait until a candidate can't get any further by itself.
type hasty struct{ *world }

func (hasty) Settle() {}

// stir has a number of things happen, one soon after the other.
func (m *meeting) stir(trouble bool) {
	for range 1 + m.rnd.IntN(5) {
		ctx, cancel := context.WithCancel(m.Context())
		e := m.es[m.rnd.IntN(3)]
		m.n++
		value := fmt.Append(nil, m.n)
		m.waiting = append(m.waiting, campaigner{linetest.Start(hasty{m.world}, func() (*election.Term, error) { return e.Campaign(ctx, value) }), cancel})
		time.Sleep(time.Duration(m.rnd.IntN(2)*m.rnd.IntN(20)) * time.Millisecond)
	}
	if trouble {
		defer m.Mishap(m.rnd)()
	}
	for _, c := range m.waiting {
		if m.rnd.IntN(6) == 0 {
			c.giveUp()
		}
	}
	for _, t := range m.terms {
		m.change(t, m.look())
	}
	time.Sleep(100 * time.Millisecond)
	m.Srv.ResumeWatches()
	time.Sleep(20 * time.Second)
}

// change has the leader, or somebody else, do something about the leadership.
func (m *meeting) change(t *election.Term, st *election.State) {
	what := m.rnd.IntN(5)
	if what == 0 {
		go func() { _ = t.Resign(m.Context()) }()
		return
	}
	if st.Leader == nil || len(st.Candidates) == 0 {
		return
	}
	to := st.Candidates[m.rnd.IntN(len(st.Candidates))]
	switch what {
	case 1, 2:
		go func() { _ = t.Transfer(m.Context(), to) }()
	case 3:
		_ = election.Depose(m.Context(), m.admin, name, *st.Leader, to)
	case 4:
		_ = election.Ask(m.Context(), m.admin, name, *st.Leader, to)
		_ = t.Proclaim(m.Context(), t.Value())
	}
}

func (m *meeting) look() *election.State {
	m.Helper()
	st, err := m.es[0].State(m.Context())
	require.NoError(m, err)
	return st
}

// check asserts that who stands first leads, and is known to.
func (m *meeting) check() {
	var waiting []campaigner
	for _, c := range m.waiting {
		select {
		case o := <-c.got:
			if o.Err == nil {
				m.terms = append(m.terms, o.Got)
			} else if !errors.Is(o.Err, election.ErrDeposed) { // before it knew that it led
				require.ErrorIs(m, o.Err, context.Canceled)
			}
		default:
			waiting = append(waiting, c)
		}
	}
	m.waiting = waiting
	var leads []string
	var terms []*election.Term
	for _, t := range m.terms {
		if t.Err() == nil {
			leads, terms = append(leads, string(t.Value())), append(terms, t)
		}
	}
	m.terms = terms
	first := ""
	if st := m.look(); st.Leader != nil {
		first = string(st.Leader.Value)
		require.Equal(m, []string{first}, leads)
	} else {
		require.Empty(m, leads)
		require.Empty(m, m.waiting)
	}
	for len(m.obs.events) > 0 {
		if ev := <-m.obs.events; ev.Kind != election.Gap {
			m.seen = string(ev.Leader.Value)
		}
	}
	require.Equal(m, first, m.seen)
}

// leave has everybody leave, and asserts that nothing is left.
func (m *meeting) leave() {
	for _, c := range m.waiting {
		c.giveUp()
	}
	for _, t := range m.terms {
		_ = t.Resign(m.Context())
	}
	for _, c := range m.waiting {
		if o := <-c.got; o.Err == nil {
			_ = o.Got.Resign(m.Context())
		}
	}
	time.Sleep(30 * time.Second)
	require.Empty(m, m.line())
}
