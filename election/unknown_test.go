package election_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

// annotate adds to a candidate's value as another version of this module might.
func (w *world) annotate(c *etcd.Client, key, fields string) {
	w.Helper()
	kv := w.fields(key)
	var more map[string]json.RawMessage
	require.NoError(w, json.Unmarshal([]byte(fields), &more))
	for name, value := range more {
		kv[name] = value
	}
	value, err := json.Marshal(kv)
	require.NoError(w, err)
	_, err = c.Put(w.Context(), key, value, etcd.IgnoreLease())
	require.NoError(w, err)
}

// fields gives a candidate's value field by field, each as it stands there.
func (w *world) fields(key string) map[string]json.RawMessage {
	w.Helper()
	for _, kv := range w.Srv.KeyValues(key) {
		if kv.Key == key {
			var fields map[string]json.RawMessage
			require.NoError(w, json.Unmarshal(kv.Value, &fields))
			return fields
		}
	}
	w.Fatalf("no key %q", key)
	return nil
}

func TestWhatAnotherVersionAddedToANoteSurvivesEveryRewriting(t *testing.T) {
	const exact = `{"n":9007199254740993,"x":[1.50,"\u0041"]}`
	bothWays(t, func(w *world) {
		ctx, c := w.Context(), w.Client()
		a := w.campaign(stand(w.Session()), "a")
		b := w.start(ctx, stand(w.Session()), "b")
		w.Settle()
		keys := w.line()
		w.annotate(c, keys[0], `{"later":`+exact+`}`)
		w.annotate(c, keys[1], `{"also":`+exact+`}`)

		s, err := election.Look(ctx, c, name)
		require.NoError(w, err)
		require.NoError(w, election.Ask(ctx, c, name, *s.Leader, s.Candidates[0]))
		require.Equal(w, exact, string(w.fields(keys[0])["later"]), "asked")
		require.Contains(w, w.fields(keys[0]), "asked")
		w.annotate(c, keys[0], `{"asked":`+strings.Replace(string(w.fields(keys[0])["asked"]), "{", `{"soon":true,`, 1)+`}`)

		require.NoError(w, a.Proclaim(ctx, []byte("a2")))
		require.Equal(w, exact, string(w.fields(keys[0])["later"]), "proclaimed")
		require.Contains(w, string(w.fields(keys[0])["asked"]), `"soon":true`)
		require.NoError(w, a.Proclaim(ctx, nil))
		require.NotContains(w, w.fields(keys[0]), "value")

		q, err := a.Request(ctx)
		require.NoError(w, err)
		require.NoError(w, a.Transfer(ctx, q.To))
		led := w.leads(b)
		now := w.fields(keys[0])
		require.Equal(w, exact, string(now["also"]), "handed over")
		require.NotContains(w, now, "later", "it was the other's")
		require.NotContains(w, now, "asked")
		require.Contains(w, now, "heir")
		w.resign(led)
	})
}
