package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// silent is a server that takes requests and never answers.
func silent(t *testing.T) string {
	t.Helper()
	ended := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	t.Cleanup(func() {
		close(ended)
		srv.Close()
	})
	return srv.URL
}

func TestATimeoutThatIsOverBeforeEtcdHasAnsweredIsATimeout(t *testing.T) {
	t.Parallel()
	url := silent(t)
	for _, c := range []struct {
		args []string
		says string
	}{
		{append([]string{"lock", "x", "--timeout", "300ms", "--"}, helperCommand("exit", "0")...),
			`quorate: lock "x" is not obtained within 300ms: etcd at ` + url + " has not answered\n"},
		{append([]string{"elect", "x", "--timeout", "300ms", "--"}, helperCommand("exit", "0")...),
			`quorate: not elected in election "x" within 300ms: etcd at ` + url + " has not answered\n"},
		{[]string{"elect", "transfer", "x", "--timeout", "300ms"},
			`quorate: the leader of election "x" has not handed over within 300ms: etcd at ` + url + " has not answered\n"},
	} {
		q := command(t, append([]string{"--endpoints", url, "--command-timeout", "1m"}, c.args...)...)
		require.Equal(t, 75, q.run(), c.args)
		require.Equal(t, c.says, q.stderr.String())
	}
}

func TestATimeoutDoesNotHideThatNobodyIsThereOrThatItIsNoEtcd(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	gone := nobody(t)
	for _, c := range []struct {
		url  string
		code int
		says string
	}{
		{gone, 69, "quorate: no etcd answers at " + gone + " (connection refused)"},
		{web.URL, 1, "quorate: what answers at " + web.URL + " is no etcd: it answered with status 404"},
	} {
		for _, what := range []string{"lock", "elect"} {
			q := command(t, append([]string{"--endpoints", c.url, "--command-timeout", "1m", what, "x", "--timeout", "1s", "--"}, helperCommand("exit", "0")...)...)
			require.Equal(t, c.code, q.run(), "%s: %s", what, q.stderr)
			require.Contains(t, q.stderr.String(), c.says, what)
		}
	}
}

func TestAServerThatDoesNotSpeakAsEtcdDoesIsNamed(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>welcome</html>")) // a client that has gone need not be heard
	}))
	t.Cleanup(srv.Close)
	for _, args := range [][]string{{"status"}, {"seq", "next", "x"}, {"lock", "ls"}, {"queue", "stats"}} {
		q := command(t, append([]string{"--endpoints", srv.URL}, args...)...)
		require.Equal(t, 1, q.run(), args)
		require.Contains(t, q.stderr.String(), "quorate: what answers at "+srv.URL+" does not answer as etcd does: found '<'", args)
		require.NotContains(t, q.stderr.String(), "jsonwire")
	}
}
