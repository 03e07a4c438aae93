package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/servers"
)

// composeFile is what these tests look at in docker-compose.yml.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type composeService struct {
	Image       string   `yaml:"image"`
	Ports       []string `yaml:"ports"`
	Volumes     []string `yaml:"volumes"`
	Command     []string `yaml:"command"`
	HealthCheck struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
}

// flags returns the flags of a service by name.
func (s composeService) flags(t *testing.T) map[string]string {
	out := map[string]string{}
	for _, arg := range s.Command[1:] {
		name, value, ok := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		require.True(t, ok, "argument %q", arg)
		out[name] = value
	}
	return out
}

func readCompose(t *testing.T) composeFile {
	b, err := os.ReadFile(filepath.Join("..", "docker-compose.yml"))
	require.NoError(t, err)
	var f composeFile
	require.NoError(t, yaml.Unmarshal(b, &f))
	require.Len(t, f.Services, 3)
	return f
}

func TestTheComposeFilePinsItsImageAndStaysOnLoopback(t *testing.T) {
	f := readCompose(t)
	mod, err := os.ReadFile(filepath.Join("servers", "v"+servers.Newest, "go.mod"))
	require.NoError(t, err)
	tested := regexp.MustCompile(`go\.etcd\.io/etcd/server/v3 (v\S+)`).FindSubmatch(mod)
	require.NotNil(t, tested)
	for name, s := range f.Services {
		require.Equal(t, "quay.io/coreos/etcd:"+string(tested[1]), s.Image, "the image is the version the tests run")
		require.NotEmpty(t, s.HealthCheck.Test, name)
		require.Len(t, s.Ports, 1)
		require.Regexp(t, `^127\.0\.0\.1:\d+:2379$`, s.Ports[0])
		require.Equal(t, []string{name + ":" + s.flags(t)["data-dir"]}, s.Volumes, "its data are on its named volume")
		require.Contains(t, f.Volumes, name)
	}
}

func TestTheFlagsOfTheComposeFileMakeACluster(t *testing.T) {
	t.Parallel()
	f := readCompose(t)
	binary, err := servers.Binary(t.Context(), servers.Newest)
	require.NoError(t, err)
	dir := t.TempDir()

	// Within compose every member listens at the same ports of a host of its
	// own; here each has ports of its own on loopback.
	addrs := map[string]string{}
	// The system gives none of these to others who ask for any.
	own := 20_000 + rand.IntN(10_000)
	for name := range f.Services {
		for _, port := range []string{"2379", "2380"} {
			var err error = syscall.EADDRINUSE
			for ; err != nil; own++ {
				require.Less(t, own, 32_000)
				var l net.Listener
				if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", own)); err == nil {
					addrs[name+":"+port] = l.Addr().String()
					require.NoError(t, l.Close())
				}
			}
		}
	}
	processes := map[string]*cluster.Process{}
	endpoints := map[string]string{}
	args := map[string][]string{}
	for name, s := range f.Services {
		endpoints[name] = "http://" + addrs[name+":2379"]
		for _, arg := range s.Command[1:] {
			arg = strings.ReplaceAll(arg, "0.0.0.0", name)
			for from, to := range addrs {
				arg = strings.ReplaceAll(arg, "http://"+from, "http://"+to)
			}
			if strings.HasPrefix(arg, "--data-dir=") {
				arg = "--data-dir=" + filepath.Join(dir, name)
			}
			args[name] = append(args[name], arg)
		}
	}
	for name := range f.Services {
		log := filepath.Join(dir, name+".log")
		p, err := cluster.StartProcess(binary, args[name], log)
		require.NoError(t, err)
		processes[name] = p
		defer p.Kill()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	for name, s := range f.Services {
		awaitMember(ctx, t, endpoints[name])
		want := s.flags(t)
		var list struct{ Members []struct{ Name string } }
		require.NoError(t, ask(ctx, endpoints[name], "/v3/cluster/member/list", `{}`, &list))
		require.Len(t, list.Members, 3)
		var status struct{ DBSizeQuota string }
		require.NoError(t, ask(ctx, endpoints[name], "/v3/maintenance/status", `{}`, &status))
		require.Equal(t, want["quota-backend-bytes"], status.DBSizeQuota)
		started := startEntry(t, filepath.Join(dir, name+".log"))
		require.Equal(t, want["auto-compaction-mode"], started.Mode)
		retention, err := time.ParseDuration(want["auto-compaction-retention"])
		require.NoError(t, err)
		require.Equal(t, retention.String(), started.Retention)
		require.Positive(t, retention)
	}

	const key = `{"key":"cXVvcmF0ZQ=="}`
	require.NoError(t, ask(ctx, endpoints["etcd1"], "/v3/kv/put", key, nil))
	processes["etcd1"].Kill()
	awaitMember(ctx, t, endpoints["etcd3"]) // two are a quorum
	awaitMember(ctx, t, endpoints["etcd2"])
	var got struct{ Count string }
	require.NoError(t, ask(ctx, endpoints["etcd3"], "/v3/kv/range", key, &got))
	require.Equal(t, "1", got.Count)
	require.NoError(t, ask(ctx, endpoints["etcd2"], "/v3/kv/put", key, nil))
}

// awaitMember waits until a member answers a linearizable read.
func awaitMember(ctx context.Context, t *testing.T, endpoint string) {
	t.Helper()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return ask(ctx, endpoint, "/v3/kv/range", `{"key":"AA=="}`, nil) == nil
	}, 3*time.Minute, 50*time.Millisecond, endpoint)
}

func ask(ctx context.Context, endpoint, path, body string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, res.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

type startLine struct {
	Msg       string `json:"msg"`
	Mode      string `json:"auto-compaction-mode"`
	Retention string `json:"auto-compaction-interval"`
}

// startEntry finds the entry of a member's log that lists its settings.
func startEntry(t *testing.T, logFile string) startLine {
	b, err := os.ReadFile(logFile)
	require.NoError(t, err)
	for line := range bytes.Lines(b) {
		var l startLine
		if json.Unmarshal(line, &l) == nil && l.Msg == "starting an etcd server" {
			return l
		}
	}
	t.Fatalf("%s has no entry of a start", logFile)
	return startLine{}
}
