package etcd_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// jwts gives out JSON Web Tokens that are good for a time, by a clock that is
// ahead of the client's, and has the server refuse what comes after the end of
// the one given out last.
type jwts struct {
	good, ahead time.Duration

	mu      sync.Mutex
	given   int
	last    time.Time
	refused int
}

func (j *jwts) issue(srv *etcdtest.Server) {
	srv.Inject(etcdtest.Fault{Path: authPath, Reply: &etcdtest.Reply{Body: func(w io.Writer) error {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.given++
		j.last = time.Now()
		claims := fmt.Sprintf(`{"username":"ann","revision":7,"exp":%d,"n":%d}`, j.last.Add(j.good+j.ahead).Unix(), j.given)
		_, err := fmt.Fprintf(w, `{"header":{"revision":"1"},"token":"e30.%s.c2ln"}`, base64.RawURLEncoding.EncodeToString([]byte(claims)))
		return err
	}}})
	srv.Inject(etcdtest.Fault{
		Match: func(r *etcdtest.Request) bool {
			j.mu.Lock()
			defer j.mu.Unlock()
			if r.Path == authPath || time.Since(j.last) < j.good {
				return false
			}
			j.refused++
			return true
		},
		Refuse: &etcdtest.Error{Code: etcdtest.Unauthenticated, Message: "etcdserver: invalid auth token"},
	})
}

func TestAWatchConnectionIsReplacedOnceForEachTokenThatTellsItsEnd(t *testing.T) {
	const long = time.Hour
	for name, test := range map[string]struct {
		good, ahead time.Duration
		most        time.Duration // a token is asked for this often at most
		refused     bool          // some are used too long
	}{
		"the clocks agree":                          {5 * time.Minute, 0, 4 * time.Minute, false},
		"tokens are good for a moment":              {20 * time.Second, 0, 16 * time.Second, false},
		"the client's clock is far ahead":           {5 * time.Minute, -10 * time.Minute, 4 * time.Minute, true},
		"the client's clock is behind":              {5 * time.Minute, 10 * time.Minute, 5 * time.Minute, true},
		"the client's clock is nearly as far ahead": {5 * time.Minute, -5*time.Minute + time.Second, 4 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			etcd.BothWays(t, func(t *etcd.World) {
				srv := t.Start()
				j := &jwts{good: test.good, ahead: test.ahead}
				j.issue(srv)
				var mu sync.Mutex
				opened := 0
				c := newClient(t, srv, asRoot("secret"), func(cfg *etcd.Config) {
					cfg.Hooks.Watch = func(i etcd.WatchConnInfo) {
						mu.Lock()
						defer mu.Unlock()
						if i.Open {
							opened++
						}
					}
				})
				w := watch(t, c, etcd.Key("k"))
				for i := range 60 {
					time.Sleep(long / 60)
					srv.Put("k", fmt.Append(nil, i))
					require.Len(t, collect(t, w, 1), 1)
				}
				mu.Lock()
				defer mu.Unlock()
				j.mu.Lock()
				defer j.mu.Unlock()
				t.Log("connections", opened, "tokens", j.given, "refused", j.refused)
				require.LessOrEqual(t, j.given, int(long/test.most)+2)
				require.LessOrEqual(t, opened, 2*int(long/test.most)+2)
				if !test.refused {
					require.Zero(t, j.refused, "a token is replaced before it ends")
				}
			})
		})
	}
}
