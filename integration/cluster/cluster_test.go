package cluster_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/servers"
)

// fresh makes every request on a connection of its own.
var fresh = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func post(ctx context.Context, client *http.Client, url, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, b)
	}
	return string(b), err
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func put(ctx context.Context, endpoint, key string) error {
	_, err := post(ctx, fresh, endpoint+"/v3/kv/put", `{"key":"`+b64(key)+`"}`)
	return err
}

func exists(t *testing.T, endpoint, key string) bool {
	t.Helper()
	b, err := post(within(t, time.Minute), fresh, endpoint+"/v3/kv/range", `{"key":"`+b64(key)+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	var reply struct{ Count string }
	if err := json.Unmarshal([]byte(b), &reply); err != nil {
		t.Fatal(err)
	}
	return reply.Count == "1"
}

func TestEveryReleaseLineStarts(t *testing.T) {
	for _, line := range servers.Lines {
		c := cluster.Start(t, cluster.Options{Version: line})
		reply, err := fresh.Get(c.Endpoints()[0] + "/version")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		if err != nil || !strings.Contains(string(b), `"etcdserver":"`+line+".") {
			t.Errorf("%s: version is %s, %v", line, b, err)
		}
	}
}

func TestAKilledLeaderIsReplacedAndItsDataSurvive(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Members: 3})
	ctx := within(t, 3*time.Minute)
	old, err := c.WaitLeader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := put(ctx, c.Endpoints()[old], "before"); err != nil {
		t.Fatal(err)
	}
	c.Kill(old)
	if c.Running(old) {
		t.Error("a killed member runs")
	}
	now, err := c.WaitLeader(ctx, old)
	if err != nil || now == old {
		t.Fatalf("leader was %d and is %d: %v", old, now, err)
	}
	if err := put(ctx, c.Endpoints()[old], "x"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("put at the killed member: %v", err)
	}
	if err := c.Restart(old); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if !exists(t, c.Endpoints()[old], "before") {
		t.Error("the restarted member lost a write")
	}
}

func TestAPartitionedLeaderLosesItsLeadershipAndComesBack(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Members: 3})
	ctx := within(t, 3*time.Minute)
	old, err := c.WaitLeader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c.Partition(old)
	now, err := c.WaitLeader(ctx, old)
	if err != nil {
		t.Fatal(err)
	}
	if err := put(ctx, c.Endpoints()[now], "majority"); err != nil {
		t.Error(err)
	}
	short := within(t, 2*time.Second)
	if err := put(short, c.Endpoints()[old], "minority"); err == nil {
		t.Error("the minority took a write")
	}
	c.HealLinks()
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if !exists(t, c.Endpoints()[old], "majority") {
		t.Error("the old leader did not catch up")
	}
}

func TestAOneWayCutStopsTheMessagesOfThatDirection(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Members: 3})
	ctx := within(t, 3*time.Minute)
	leader, err := c.WaitLeader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// A leader that hears nobody, though all hear it, steps down, and nobody
	// else can lead as long as they hear its heartbeats; then one does.
	for i := range 3 {
		if i != leader {
			c.CutLink(i, leader)
		}
	}
	if _, err := c.WaitLeader(ctx, leader); err != nil {
		t.Fatal(err)
	}
	c.HealLinks()
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	// The other direction: a follower that hears nothing cannot answer a
	// linearizable read.
	leader, err = c.WaitLeader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	deaf := (leader + 1) % 3
	c.CutLink(leader, deaf)
	c.CutLink((leader+2)%3, deaf)
	err = c.WaitReady(within(t, 500*time.Millisecond), deaf)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deaf member answered: %v", err)
	}
	if err := put(ctx, c.Endpoints()[leader], "k"); err != nil {
		t.Error(err)
	}
}

func TestAPausedMemberAnswersNothingUntilResumed(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	if err := c.Pause(0); err != nil {
		t.Fatal(err)
	}
	if err := put(within(t, 300*time.Millisecond), c.Endpoints()[0], "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("put at a paused member: %v", err)
	}
	if err := c.Resume(0); err != nil {
		t.Fatal(err)
	}
	if err := put(within(t, time.Minute), c.Endpoints()[0], "k"); err != nil {
		t.Error(err)
	}
	if err := c.Terminate(within(t, 2*time.Minute), 0); err != nil || c.Running(0) {
		t.Errorf("terminate: %v, running %v", err, c.Running(0))
	}
}

func TestSlowLinksMakeCommitsSlow(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Members: 3})
	c.DelayLinks(50 * time.Millisecond)
	begin := time.Now()
	if err := put(within(t, time.Minute), c.Endpoints()[0], "k"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("a commit over slow links took %v", took)
	}
}

func TestClientCertificatesAreDemanded(t *testing.T) {
	c := cluster.Start(t, cluster.Options{TLS: true, ClientCerts: true})
	if !strings.HasPrefix(c.Endpoints()[0], "https://") || c.Certs() == nil {
		t.Errorf("endpoint is %s", c.Endpoints()[0])
	}
	if err := put(within(t, time.Minute), c.Endpoints()[0], "k"); err == nil {
		t.Error("put without a certificate")
	}
}
