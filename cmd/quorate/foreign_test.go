package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAServerThatIsNoEtcdOrTooOldIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		version string // what /version answers
		says    string
	}{
		"a web server":    {"", "quorate: what answers at URL is no etcd: it answered with status 404 and a body of type \"text/plain\" instead of an etcd error"},
		"an etcd of 2018": {`{"etcdserver":"3.3.27","etcdcluster":"3.3.0"}`, "quorate: the server at URL cannot be used: etcd 3.3.27 is too old: 3.4 or newer is needed"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/version" && test.version != "" {
				_, _ = w.Write([]byte(test.version)) // a client that has gone need not be heard
				return
			}
			http.NotFound(w, r)
		}))
		defer srv.Close()
		says := strings.Replace(test.says, "URL", srv.URL, 1)
		for _, args := range [][]string{
			{"status"},
			{"lock", "x", "--", os.Args[0], asHelper, "exit", "0"},
			{"lock", "ls"},
			{"lock", "show", "x"},
			{"lock", "break", "x"},
		} {
			q := command(t, append([]string{"--endpoints", srv.URL}, args...)...)
			require.Equal(t, 1, q.run(), "%s: %v", name, args)
			require.Equal(t, says+"\n", q.stderr.String(), "%s: %v", name, args)
			require.Empty(t, q.stdout.String())
		}
		q := command(t, "status", "--json", "--endpoints", srv.URL)
		require.Equal(t, 1, q.run())
		require.Equal(t, strings.TrimPrefix(says, "quorate: "), jsonLines(t, q.stderr.String())[0]["error"])
	}
}
