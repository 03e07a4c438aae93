package embedded_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/quorate/quorate/embedded"
)

func TestASecondStartOnADirectoryFindsTheData(t *testing.T) {
	t.Parallel()
	for _, members := range []int{1, 3} {
		dir := filepath.Join(t.TempDir(), "made", "by", "start")
		config := embedded.Config{Members: members, Dir: dir, UnsafeNoFsync: true}
		first := start(t, config)
		putInTime(t, first.Endpoints()[0], "kept", "yes")
		stop(t, first)
		second := start(t, config)
		for _, endpoint := range second.Endpoints() {
			if got := get(t, endpoint, "kept"); got != "yes" {
				t.Errorf("%d members: %s read %q", members, endpoint, got)
			}
		}
		stop(t, second)
	}
}

func TestThreeMembersElectAnotherLeaderWhenItStops(t *testing.T) {
	t.Parallel()
	c := start(t, embedded.Config{Members: 3, UnsafeNoFsync: true})
	old := c.Leader()
	if old < 0 {
		t.Fatal("no leader after Start")
	}
	if err := c.StopMember(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	other := c.Endpoints()[(old+1)%3]
	putInTime(t, other, "after", "the stop") // answered only by a new leader
	// There is one, though it may change on a machine that is busy elsewhere.
	for now, end := c.Leader(), time.Now().Add(time.Minute); now == old || now < 0; now = c.Leader() {
		if time.Now().After(end) {
			t.Fatalf("leader was %d and is %d", old, now)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := c.Err(); err != nil {
		t.Errorf("a member stopped on request counts as dead: %v", err)
	}
	if err := c.StartMember(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if got := get(t, c.Endpoints()[old], "after"); got != "the stop" {
		t.Errorf("the restarted member read %q", got)
	}
}

func TestStartingAMemberWithoutAMajorityEndsWithTheContext(t *testing.T) {
	t.Parallel()
	c := start(t, embedded.Config{Members: 3, UnsafeNoFsync: true})
	for i := range 3 {
		if err := c.StopMember(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := c.StartMember(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if err := c.StartMember(t.Context(), 3); err == nil {
		t.Error("there is no member 3, but it started")
	}
}

func TestStopEndsAWaitingStartMember(t *testing.T) {
	t.Parallel()
	c := start(t, embedded.Config{Members: 3, UnsafeNoFsync: true})
	for i := range 3 {
		if err := c.StopMember(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	result := make(chan error, 1)
	go func() { result <- c.StartMember(context.Background(), 0) }()
	stop(t, c)
	if err := <-result; !errors.Is(err, embedded.ErrStopped) {
		t.Errorf("error is %v", err)
	}
}

func TestADirectoryServesOneClusterAtATime(t *testing.T) {
	t.Parallel()
	c := start(t, embedded.Config{Dir: t.TempDir()})
	if _, err := embedded.Start(t.Context(), embedded.Config{Dir: c.Dir()}); !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("error is %v", err)
	}
}

func TestADirectoryOfAnotherClusterIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	other, plain, broken := t.TempDir(), t.TempDir(), t.TempDir()
	stop(t, start(t, embedded.Config{Dir: other}))
	if err := os.Mkdir(filepath.Join(plain, "member"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "quorate-cluster.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{other, plain, broken} {
		if _, err := embedded.Start(t.Context(), embedded.Config{Dir: dir, Members: 3}); !errors.Is(err, embedded.ErrForeignDir) {
			t.Errorf("%s: error is %v", dir, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "m2")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was written to", dir)
		}
	}
}

func TestADirectoryThatCannotBeWrittenIsAClearError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Start(t.Context(), embedded.Config{Dir: filepath.Join(file, "below")}); err == nil {
		t.Error("started below a file")
	}
}

func TestDamagedDataAreAnErrorNotAPanic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop(t, start(t, embedded.Config{Dir: dir}))
	db := filepath.Join(dir, "m1", "member", "snap", "db")
	if err := os.WriteFile(db, []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Start(t.Context(), embedded.Config{Dir: dir})
	if err == nil {
		t.Fatal("started on damaged data")
	}
	if got, err := os.ReadFile(db); err != nil || string(got) != "not a database" {
		t.Errorf("the failed start touched the data: %q, %v", got, err)
	}
}

func TestAMemberThatEndsByItselfIsReported(t *testing.T) {
	t.Parallel()
	c := start(t, embedded.Config{Members: 3, UnsafeNoFsync: true, Modify: func(_ int, cfg *embed.Config) {
		cfg.StrictReconfigCheck = false // it refuses removals within 5 s of the start
	}})
	members := members(t, c.Endpoints()[0])
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := call(ctx, http.DefaultClient, c.Endpoints()[0]+"/v3/cluster/member/remove",
		`{"ID":"`+members["m3"]+`"}`); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Done():
	case <-ctx.Done():
		t.Fatal("Done is still open")
	}
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "member m3") {
		t.Errorf("error is %v", err)
	}
	putInTime(t, c.Endpoints()[0], "the others", "go on")
}

// members returns the members' ids by name.
func members(t *testing.T, endpoint string) map[string]string {
	reply, err := call(t.Context(), http.DefaultClient, endpoint+"/v3/cluster/member/list", "{}")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range reply["members"].([]any) {
		m := m.(map[string]any)
		out[m["name"].(string)] = m["ID"].(string)
	}
	return out
}
