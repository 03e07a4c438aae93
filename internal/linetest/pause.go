package linetest

import (
	"context"
	"log/slog"
	"reflect"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// stuck is a log that holds up whoever writes to it.
type stuck struct {
	slog.Handler
	until chan struct{}
}

func (h stuck) Enabled(context.Context, slog.Level) bool  { return true }
func (h stuck) Handle(context.Context, slog.Record) error { <-h.until; return nil }

// Oversleeper makes a session that Oversleep can have run out without anybody's
// noticing.
func (w *World) Oversleeper() *etcd.Session {
	w.Helper()
	until := make(chan struct{})
	s := w.SessionOf(w.Client(func(cfg *etcd.Config) {
		cfg.Endpoints, cfg.Logger = w.Srv.URLs()[1:2], slog.New(stuck{slog.DiscardHandler, until})
		cfg.AttemptTimeout = time.Hour // a request under way is neither given up nor repeated
	}))
	w.Cleanup(func() { close(until) }) // before the session is closed
	return s
}

// Oversleep lets the time of an Oversleeper's session run out as it does in a
// process that is paused: none of its timers has fired, and none of its goroutines
// has gone on, when it wakes up.
func (w *World) Oversleep(s *etcd.Session) {
	w.Helper()
	w.Srv.Inject(etcdtest.Fault{Path: "/v3/lease/keepalive", Members: []int{1}, LoseRequest: true})
	alarm := reflect.ValueOf(s).Elem().FieldByName("alarm")
	require.True(w, alarm.IsValid(), "the session's timer has another name")
	(*(**time.Timer)(unsafe.Pointer(alarm.UnsafeAddr()))).Stop()
	time.Sleep(time.Until(s.Deadline()) + time.Minute)
	require.NoError(w, s.Context().Err(), "it has been noticed")
}
