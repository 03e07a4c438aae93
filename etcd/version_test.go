package etcd

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// An answer of a server that is not, or not quite, an etcd.
type answer struct {
	status int
	typ    string
	body   string
}

func (a answer) write(w http.ResponseWriter) {
	if a.status/100 == 3 {
		w.Header().Set("Location", a.body)
	}
	w.Header().Set("Content-Type", a.typ)
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(a.body)) // whoever has gone has gone
}

func TestAServerThatDoesNotKnowTheCallIsNamedForWhatItIs(t *testing.T) {
	notFound := answer{404, "text/plain; charset=utf-8", "404 page not found\n"}
	version := func(v string) answer { return answer{200, "application/json", v} }
	for name, test := range map[string]struct {
		call, version answer
		kind          error
		want          string
	}{
		"etcd 3.3":             {notFound, version(`{"etcdserver":"3.3.27","etcdcluster":"3.3.0"}`), ErrTooOld, "etcd 3.3.27 is too old: 3.4 or newer is needed"},
		"etcd 2":               {notFound, version(`{"etcdserver":"2.3.8","etcdcluster":"2.3.0"}`), ErrTooOld, "etcd 2.3.8 is too old"},
		"a web server":         {answer{405, "text/html", "<html>no</html>"}, answer{200, "text/html", "<html>hello</html>"}, ErrNotEtcd, `status 405 and a body of type "text/html"`},
		"another API":          {notFound, version(`{"version":"1.2.3"}`), ErrNotEtcd, "status 404"},
		"a strange version":    {notFound, version(`{"etcdserver":"<script>"}`), ErrNotEtcd, "status 404"},
		"a redirect":           {answer{307, "text/html", "http://user:canary@elsewhere/"}, notFound, ErrNotEtcd, "redirect"},
		"etcd 3.4, newer call": {answer{404, "application/json", `{"error":"Not Found","code":5,"message":"Not Found"}`}, version(`{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}`), ErrUnsupported, "etcd 3.4.23 does not know this call"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				c := newForeignClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/version" {
						test.call.write(w)
						return
					}
					if r.Method != http.MethodGet {
						t.Errorf("%s /version", r.Method)
					}
					asked++
					test.version.write(w)
				}))
				for range 3 {
					_, err := c.Put(t.Context(), "k", nil)
					require.ErrorIs(t, err, test.kind)
					require.ErrorContains(t, err, test.want)
					require.True(t, SafeToRetry(err))
					require.NotContains(t, err.Error(), "canary")
				}
				_, err := c.AuthStatus(t.Context())
				require.ErrorIs(t, err, test.kind)
				_, err = NewSession(t.Context(), c)
				require.ErrorIs(t, err, test.kind)
				asks := 1
				if test.call.status == 307 {
					asks = 0 // it says by itself that it is no etcd
				}
				require.Equal(t, asks, asked, "once, not at every failure")
				time.Sleep(identityTTL + time.Second)
				_, err = c.Put(t.Context(), "k", nil)
				require.ErrorIs(t, err, test.kind)
				require.Equal(t, 2*asks, asked, "what runs there may have been replaced")
			})
		})
	}
}

func TestAServerThatHangsAtItsVersionDoesNotHoldUpTheErrorForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newForeignClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/version" {
				<-r.Context().Done()
				return
			}
			http.NotFound(w, r)
		}))
		begun := time.Now()
		_, err := c.Put(t.Context(), "k", nil)
		require.ErrorIs(t, err, ErrNotEtcd)
		require.Equal(t, identityTimeout, time.Since(begun))
	})
}

func TestAnEtcdThatKnowsItsCallsIsNotAskedForItsVersion(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		_, err := c.Put(t.Context(), "k", nil)
		require.NoError(t, err)
		_, err = c.KeepAlive(t.Context(), 7)
		require.ErrorIs(t, err, ErrLeaseNotFound)
		require.Zero(t, srv.Requests()["/version"])
	})
}

func TestVersionsAreComparedAsNumbers(t *testing.T) {
	for v, below := range map[string]bool{
		"3.3.27": true, "2.3.8": true, "0.4.9": true,
		"3.4.0": false, "3.10.1": false, "4.0.0": false, "3.6.0-rc.1": false,
		"": false, "3": false, "x.y.z": false,
	} {
		require.Equal(t, below, versionBelow(v, minMajor, minMinor), v)
	}
	long := `{"etcdserver":"3.4.` + strings.Repeat("1", 99) + `"}`
	for _, body := range []string{"", "{", `{"etcdserver":3}`, `{"etcdserver":"3"}`, `{"etcdserver":"-3.1.2"}`, `[]`, long} {
		require.Empty(t, parseVersion([]byte(body)), body)
	}
}

func TestProgressIsBelievedSince358(t *testing.T) {
	for version, want := range map[string]bool{
		"3.4.0": false, "3.4.37": false, "3.5.0": false, "3.5.0-rc.1": false, "3.5.7": false, "3.5.8": true, "3.5.8-rc.0": true, "3.5.35": true,
		"3.5.x": false, "3.6.0": true, "3.50.1": true, "4.0.0": true, "": false, "new": false,
	} {
		require.Equal(t, want, progressInStep(version), version)
	}
}
