package lock_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

// value gives what stands at a key.
func (w *world) value(key string) string {
	for _, kv := range w.Srv.KeyValues(key) {
		if kv.Key == key {
			return string(kv.Value)
		}
	}
	return ""
}

// add puts a field into a value, as another version of this module might.
func (w *world) add(c *etcd.Client, key, field, value string) {
	w.Helper()
	var fields map[string]json.RawMessage
	require.NoError(w, json.Unmarshal([]byte(w.value(key)), &fields))
	fields[field] = json.RawMessage(value)
	all, err := json.Marshal(fields)
	require.NoError(w, err)
	_, err = c.Put(w.Context(), key, all, etcd.IgnoreLease())
	require.NoError(w, err)
}

func TestWhatAnotherVersionAddedToAWaitersNoteSurvivesItsAdmission(t *testing.T) {
	bothWays(t, func(w *world) {
		sem := func() permits { return permits{lock.NewSemaphore(w.Session(), "licences", 1), 1} }
		first := w.acquire(sem())
		second := w.start(w.Context(), sem())
		w.Settle()
		key := w.contenders("licences")[1]
		w.add(w.Client(), key, "later", `{"n":9007199254740993}`)
		w.release(first)
		h := w.gets(second)
		require.Contains(w, w.value(key), `"later":{"n":9007199254740993}`)
		require.Contains(w, w.value(key), `"held":`)
		w.release(h)
	})
}

func TestALimitWhoseSettingsHoldMoreThanIsKnownIsNotChanged(t *testing.T) {
	inBubble(t, func(w *world) {
		sem := lock.NewSemaphore(w.Session(), "licences", 1)
		w.release(w.acquire(permits{sem, 1}))
		key := lock.Root + "licences/settings"
		w.Srv.Put(key, []byte(`{"kind":"semaphore","limit":1,"burst":3}`))
		_, err := sem.Resize(w.Context(), 2)
		require.ErrorIs(w, err, lock.ErrMismatch)
		require.ErrorContains(w, err, key)
		require.Contains(w, w.value(key), `"burst":3`)

		w.Srv.Put(key, []byte(`{"limit": 1, "kind": "semaphore"}`)) // as written by hand
		_, err = sem.Resize(w.Context(), 2)
		require.NoError(w, err)
		require.Equal(w, `{"kind":"semaphore","limit":2}`, w.value(key))
	})
}
