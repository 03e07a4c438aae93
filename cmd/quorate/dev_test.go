package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

func TestDevRunsACommandAgainstItsEtcdAndExitsAsItDoes(t *testing.T) {
	t.Parallel()
	q := command(t, append([]string{"dev", "--"}, helperCommand("exit", "9")...)...)
	require.Equal(t, 9, q.run(), q.stderr)
	require.Empty(t, q.stdout.String())
	require.Empty(t, q.stderr.String())

	// The command is another quorate, which finds the etcd.
	q = command(t, "dev", "--", os.Args[0], asQuorate, "status", "--json")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Equal(t, true, jsonLines(t, q.stdout.String())[0]["healthy"])
}

func TestDevTakesWhatBelongsToAnotherEtcdOutOfTheEnvironment(t *testing.T) {
	t.Parallel()
	q := command(t, append([]string{"dev", "--"}, helperCommand("etcdctl-env")...)...)
	q.Env = append(q.Env, "ETCDCTL_USER=root:secret", "ETCDCTL_CACERT=/somewhere.pem")
	require.Equal(t, 0, q.run(), q.stderr)
	out := strings.Fields(q.stdout.String())
	require.Len(t, out, 1, "only the endpoints of the etcd that was started")
	require.Contains(t, out[0], "ETCDCTL_ENDPOINTS=http://127.0.0.1:")
	require.NotContains(t, out[0], endpoint)
	conn, err := net.Dial("tcp", strings.TrimPrefix(out[0], "ETCDCTL_ENDPOINTS=http://"))
	if err == nil {
		conn.Close()
	}
	require.Error(t, err, "etcd still runs")
}

func TestDevEndsWithItsSignalsAndItsDataStayWhereTheyShould(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	for round := range 2 {
		q := command(t, "dev", "--port", "0", "--data", dir, "--json").begin()
		var ready struct {
			Endpoints []string
			Members   int
			Data      string
			Temporary bool
			Version   string
			PID       int
		}
		require.NoError(t, json.Unmarshal([]byte(q.expect("")), &ready))
		require.Equal(t, dir, ready.Data)
		require.False(t, ready.Temporary)
		require.Equal(t, 1, ready.Members)
		require.NotEmpty(t, ready.Version)
		require.Equal(t, q.Process.Pid, ready.PID)
		c, err := etcd.New(etcd.Config{Endpoints: ready.Endpoints})
		require.NoError(t, err)
		if round == 0 {
			_, err = c.Put(t.Context(), "kept", []byte("yes"))
			require.NoError(t, err)
		} else {
			r, err := c.Get(t.Context(), etcd.Key("kept"))
			require.NoError(t, err)
			require.EqualValues(t, 1, r.Count)
		}
		require.NoError(t, c.Close())
		require.NoError(t, q.Process.Signal(syscall.SIGTERM))
		require.Equal(t, 0, q.code(), q.stderr)
		require.Empty(t, q.stderr.String())
	}
}

func TestDevSaysHowToUseIt(t *testing.T) {
	t.Parallel()
	q := command(t, "dev", "--port", "0").begin()
	first := q.expect("etcd ")
	require.Contains(t, first, "is ready: 1 member at http://127.0.0.1:")
	_, url, _ := strings.Cut(first, " at ")
	var all []string
	for line := ""; !strings.HasPrefix(line, "Ctrl-C"); all = append(all, line) {
		line = q.expect("")
	}
	require.Contains(t, strings.Join(all, "\n"), "export ETCDCTL_ENDPOINTS="+url+"\n")
	require.NoError(t, q.Process.Signal(syscall.SIGINT))
	require.Equal(t, 0, q.code())
}

// It is much work, so it runs alone: it is not parallel.
func TestThreeMembersOfDevFormOneCluster(t *testing.T) {
	q := command(t, "dev", "--members", "3", "--", os.Args[0], asQuorate, "status", "--json")
	require.Equal(t, 0, q.run(), q.stderr)
	members := jsonLines(t, q.stdout.String())[0]["members"].([]any)
	require.Len(t, members, 3)
	leaders := 0
	for _, m := range members {
		if m.(map[string]any)["role"] == "leader" {
			leaders++
		}
		require.Equal(t, members[0].(map[string]any)["leader"], m.(map[string]any)["leader"])
	}
	require.Equal(t, 1, leaders)
}

func TestDevOnAPortThatIsTakenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	q := command(t, "dev", "--port", fmt.Sprint(port))
	require.Equal(t, 1, q.run())
	require.Equal(t, fmt.Sprintf("quorate: port %d of 127.0.0.1 is in use, perhaps by another etcd: choose one with --port, or a free one with --port 0\n", port), q.stderr.String())
}

func TestDevSaysWhatIsWrongWithADirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	q := command(t, append([]string{"dev", "--data", dir, "--"}, helperCommand("exit", "0")...)...)
	require.Equal(t, 0, q.run(), q.stderr)
	q = command(t, append([]string{"dev", "--data", dir, "--members", "3", "--"}, helperCommand("exit", "0")...)...)
	require.Equal(t, 1, q.run())
	require.Contains(t, q.stderr.String(), "quorate: --data "+dir)

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	q = command(t, append([]string{"dev", "--data", file, "--"}, helperCommand("exit", "0")...)...)
	require.Equal(t, 1, q.run())
	require.Contains(t, q.stderr.String(), file)
	require.Equal(t, 1, strings.Count(q.stderr.String(), "\n"), "one sentence: %s", q.stderr)
}
