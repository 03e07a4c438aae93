package sequence_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sequence"
)

func TestAListShowsEverySequenceAndWhatIsWrongWithIt(t *testing.T) {
	inBubble(t, func(w *world) {
		c := w.client()
		for _, name := range []string{"b", "a/b", "a", "a-z", "gone"} {
			w.next(sequence.New(c, name))
		}
		require.NoError(w, sequence.New(c, "unused", sequence.WithMax(5)).Set(w.Context(), 0, sequence.Force()))
		w.srv.Delete("quorate/seq/gone")
		w.srv.Put("quorate/seq/number", []byte("17"))
		w.srv.Put("quorate/seq/no/sequence", []byte("x"))
		var shown []string
		for i, err := range sequence.List(w.Context(), c) {
			require.NoError(w, err)
			switch {
			case i.Name == "gone":
				require.ErrorIs(w, i.Err, sequence.ErrDeleted)
			case i.Name == "number" || i.Name == "":
				require.ErrorIs(w, i.Err, sequence.ErrForeign)
				require.ErrorContains(w, i.Err, i.Key)
			case i.Name == "unused":
				require.False(w, i.Used)
				require.EqualValues(w, 5, i.Left)
			default:
				require.NoError(w, i.Err)
				require.True(w, i.Used)
				require.EqualValues(w, 1, i.Last)
			}
			shown = append(shown, i.Name)
		}
		require.ElementsMatch(w, []string{"a", "a-z", "a/b", "b", "gone", "", "number", "unused"}, shown)
		n := 0
		for range sequence.List(w.Context(), c) {
			if n++; n == 2 {
				break
			}
		}
		require.Equal(w, 2, n)
		for _, err := range sequence.List(w.Context(), nil) {
			require.ErrorIs(w, err, sequence.ErrInvalid)
			n++
		}
		require.Equal(w, 3, n)
	})
}

func TestAnInfoShowsHowFarTheSequenceHasCome(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.open("x", sequence.WithMax(5))
		require.NoError(w, s.Set(w.Context(), 0))
		shown := func() string {
			i, err := s.Info(w.Context())
			require.NoError(w, err)
			return fmt.Sprint(i)
		}
		require.Equal(w, `"x": no number was taken yet (start 1, step 1, min 1, max 5)`, shown())
		w.next(s)
		require.Equal(w, `"x": at 1, 4 left (start 1, step 1, min 1, max 5)`, shown())
		w.srv.Delete("quorate/seq/x")
		for i, err := range sequence.List(w.Context(), w.client()) {
			require.NoError(w, err)
			require.Contains(w, fmt.Sprint(i), "deleted")
		}
	})
}
