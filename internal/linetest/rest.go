package linetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

// AtRest asserts that for the next while nothing is sent but what tells that
// clients and members live: of each of so many sessions with a client of its own
// a renewal every third of its TTL, and a read every two seconds where it
// watches; of the watchers without a session only that.
func (w *World) AtRest(long time.Duration, sessions, watchers int) {
	w.Helper()
	before := w.Srv.Requests()
	time.Sleep(long)
	for path, n := range w.Srv.Requests() {
		most := 0
		switch path {
		case "/v3/lease/keepalive":
			most = sessions * int(long/(etcd.DefaultSessionTTL/3)+1)
		case "/v3/kv/range":
			most = (sessions + watchers) * int(long/(2*time.Second)+1)
		}
		require.LessOrEqual(w, n-before[path], most, path)
	}
}
