package election_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
)

func TestAllElectionsAreListedUnderTheirNamesAndDoNotSeeEachOther(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		names := []string{"a", "a/b", "a%2Fb", "a/", "größe", "\xff\x00"}
		for _, n := range names {
			term, err := election.New(s, n).Campaign(w.Context(), []byte(n)) // nobody is in the way
			require.NoError(w, err)
			defer w.resign(term)
			wait := w.start(w.Context(), election.New(w.Session(), n), "waits in "+n)
			defer func() { w.resign(w.leads(wait)) }()
			defer w.resign(term)
		}
		var got []string
		for st, err := range election.All(w.Context(), s.Client()) {
			require.NoError(w, err)
			got = append(got, st.Name)
			require.Equal(w, st.Name, string(st.Leader.Value))
			require.Len(w, st.Candidates, 1)
			require.Equal(w, "waits in "+st.Name, string(st.Candidates[0].Value))
		}
		require.ElementsMatch(w, names, got)
	})
}

func TestAHandedOverLeaderIsTheCandidateItWas(t *testing.T) {
	inBubble(t, func(w *world) {
		e := stand(w.Session())
		a := w.campaign(e, "a")
		c := w.start(w.Context(), stand(w.Session()), "b")
		b := w.waiting(e, "b")
		before, err := e.Leader(w.Context())
		require.NoError(w, err)
		require.False(w, before.Is(b))
		require.NoError(w, a.Transfer(w.Context(), b))
		after, err := e.Leader(w.Context())
		require.NoError(w, err)
		require.True(w, after.Is(b))
		require.False(w, after.Is(before), "it has the key that the leader before had, and is another")
		w.resign(w.leads(c))
	})
}

func TestWhoUsesTheKeysForSomethingElseIsNamed(t *testing.T) {
	inBubble(t, func(w *world) {
		key := election.Root + name + "/1234-5678"
		w.Srv.Put(key, []byte(`{"kind":"permits","weight":1}`))
		_, err := stand(w.Session()).Campaign(w.Context(), nil)
		require.ErrorIs(w, err, election.ErrMismatch)
		require.ErrorContains(w, err, key)
		require.Equal(w, []string{key}, w.line())
	})
}
