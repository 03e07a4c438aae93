package line

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

func TestANoteIsTheJSONThatTheDocumentationShows(t *testing.T) {
	held := time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC)
	for want, n := range map[string]Note{
		`{"kind":"writer"}`: {Kind: Writer},
		`{"kind":"writer","host":"web-7","pid":4711,"program":"deploy","since":"2026-03-01T12:00:00.123Z","meta":{"ticket":"OPS-17"}}`: {
			Kind: Writer, Host: "web-7", PID: 4711, Program: "deploy", Meta: map[string]string{"ticket": "OPS-17"},
			Since: time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC),
		},
		`{"kind":"permits","weight":2,"held":"2026-03-01T12:00:05Z"}`:               {Kind: Permits, Weight: 2, Held: &held},
		`{"kind":"writer","quarantine":"30s"}`:                                      {Kind: Writer, Quarantine: "30s"},
		`{"kind":"writer","released":true}`:                                         {Kind: Writer, Released: true},
		`{"kind":"reader","broken":{"reason":"stuck","host":"ops-1","pid":12}}`:     {Kind: Reader, Broken: &Breaking{Reason: "stuck", Host: "ops-1", PID: 12}},
		`{"kind":"writer","host":"\u003c\u0000\"\ufffd"}`:                           {Kind: Writer, Host: "<\x00\"\xff"},
		`{"kind":"writer","program":"a year that JSON can't say leaves out times"}`: {Kind: Writer, Program: "a year that JSON can't say leaves out times", Since: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		require.Equal(t, want, string(n.encode()))
	}
	require.Equal(t, `{"kind":"semaphore","limit":5}`, string(Settings{Kind: SemaphoreLine, Limit: 5}.encode()))
	require.Equal(t, `{"kind":"quarantine","quarantine":"30s"}`, string(Settings{Kind: QuarantineLine, Quarantine: "30s"}.encode()))
}

func TestAContendersWordsAreBoundedAndPrintableInMessages(t *testing.T) {
	m := Member{Token: 7, Note: Note{Host: strings.Repeat("h", 1000), PID: 3, Program: "a\nb\x1b[2J"}}
	says := m.Who()
	require.Less(t, len(says), 300)
	require.NotContains(t, says, "\n")
	require.NotContains(t, says, "\x1b")
	require.Contains(t, says, `process 3 ("a\nb\x1b[2J"), token 7`)
	broken := (&BrokenError{Breaking{Reason: strings.Repeat("r\n", 600), Host: "ops-1", PID: 12}}).Error()
	require.Less(t, len(broken), 1300)
	require.True(t, strings.HasPrefix(broken, `broken by ops-1 (process 12): "r\n`), broken)
	require.Equal(t, "held by somebody else", (&BlockedError{Err: ErrHeld}).Error())
	require.Contains(t, (&BlockedError{Err: ErrHeld, By: []Member{m}}).Error(), "token 7")
}

// Whatever stands under a line's prefix, reading it neither panics nor puts
// somebody in beside whom it excludes.
func FuzzMuster(f *testing.F) {
	f.Add("a", []byte(`{"kind":"writer"}`), "b", []byte(`{"kind":"reader"}`), "settings", []byte(`{"kind":"semaphore","limit":3}`))
	f.Add("a", []byte(`{"kind":"permits","weight":9223372036854775807}`), "b", []byte(`{"kind":"permits","weight":2}`), "settings", []byte(`{"kind":"semaphore","limit":9223372036854775807}`))
	f.Add("held", []byte(`{"key":"p/a"}`), "a", []byte(`{"kind":"writer","quarantine":"30s"}`), "settings", []byte(`{"kind":"quarantine","quarantine":"30s"}`))
	f.Add("a", []byte(`{"kind":"writer"}`), "b", []byte(`{"kind":"permits","weight":1,"held":"2026-03-01T12:00:00Z"}`), "c", []byte(`{"kind":"writer"}`))
	f.Add("a", []byte(`{"kind":"writer"}`), "b", []byte(`{"kind":"permits","weight":1,"held":"2026-03-01T12:00:00Z"}`), "settings", []byte(`{"kind":"semaphore","limit":3}`))
	f.Add("", []byte{0xff}, "x/y", []byte(`{"kind":"writer","quarantine":"-1s"}`), "settings", []byte(`null`))
	f.Fuzz(func(t *testing.T, k1 string, v1 []byte, k2 string, v2 []byte, k3 string, v3 []byte) {
		var kvs []etcd.KV
		for i, kv := range []etcd.KV{{Key: "p/" + k1, Value: v1}, {Key: "p/" + k2, Value: v2}, {Key: "p/" + k3, Value: v3}} {
			kv.CreateRevision, kv.ModRevision = int64(i+2), int64(i+2)
			kvs = append(kvs, kv)
		}
		roll, err := Muster("p/", kvs, 9)
		if err != nil {
			require.ErrorIs(t, err, ErrMismatch)
			return
		}
		exclusive := 0
		for _, m := range roll.Holders {
			if (Rule{Kind: m.Kind}).exclusive() {
				exclusive++
			}
			_ = m.Who()
		}
		if exclusive > 0 {
			require.Len(t, roll.Holders, 1)
		}
		b, err := json.Marshal(roll.Holders)
		require.NoError(t, err)
		require.NotEmpty(t, b)
	})
}
