package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/integration/cluster"
)

func TestAProxySpoilsTheTrafficOfClients(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	p, endpoint, direct := c.Client(0), c.Endpoints()[0], c.Direct(0)
	heal := func(t *testing.T) {
		if err := p.Heal(); err != nil {
			t.Fatal(err)
		}
		if err := put(within(t, time.Minute), endpoint, "healed"); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("a lost reply leaves the write applied", func(t *testing.T) {
		defer heal(t)
		cut := p.LoseReplies(1, func(sent []byte) bool { return bytes.Contains(sent, []byte(b64("lost reply"))) })
		if err := put(within(t, time.Minute), endpoint, "other"); err != nil || cut.Hits() != 0 {
			t.Errorf("a request that does not match: %v, %d hits", err, cut.Hits())
		}
		if err := put(within(t, time.Minute), endpoint, "lost reply"); err == nil {
			t.Error("the reply arrived")
		}
		<-cut.Hit()
		if !exists(t, direct, "lost reply") || cut.Hits() != 1 {
			t.Errorf("the write is not there, or not cut: %d hits", cut.Hits())
		}
		if err := put(within(t, time.Minute), endpoint, "lost reply"); err != nil {
			t.Errorf("the cut struck more than once: %v", err)
		}
	})
	t.Run("a lost request leaves nothing", func(t *testing.T) {
		defer heal(t)
		cut := p.LoseRequests(0, nil)
		for range 2 {
			if err := put(within(t, time.Minute), endpoint, "lost request"); err == nil {
				t.Error("the request arrived")
			}
		}
		if exists(t, direct, "lost request") || cut.Hits() != 2 {
			t.Errorf("the write is there, or not cut: %d hits", cut.Hits())
		}
		cut.Remove()
		if err := put(within(t, time.Minute), endpoint, "k"); err != nil {
			t.Error(err)
		}
	})
	t.Run("a black hole swallows requests until it is healed", func(t *testing.T) {
		p.Blackhole()
		if err := put(within(t, 200*time.Millisecond), endpoint, "held"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		held := make(chan error, 1)
		go func() { held <- put(within(t, time.Minute), endpoint, "held") }()
		heal(t)
		if err := <-held; err != nil {
			t.Errorf("a held request was lost: %v", err)
		}
	})
	t.Run("a half-open connection never answers and a new one does", func(t *testing.T) {
		defer heal(t)
		kept := &http.Client{Transport: &http.Transport{}}
		defer kept.CloseIdleConnections()
		body := `{"key":"` + b64("k") + `"}`
		if _, err := post(within(t, time.Minute), kept, endpoint+"/v3/kv/put", body); err != nil {
			t.Fatal(err)
		}
		p.HalfOpen()
		if _, err := post(within(t, 200*time.Millisecond), kept, endpoint+"/v3/kv/put", body); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("over the old connection: %v", err)
		}
		if err := put(within(t, time.Minute), endpoint, "k"); err != nil {
			t.Errorf("over a new connection: %v", err)
		}
	})
	t.Run("a delay applies to each direction", func(t *testing.T) {
		defer heal(t)
		p.Delay(100*time.Millisecond, 150*time.Millisecond)
		begin := time.Now()
		if err := put(within(t, time.Minute), endpoint, "k"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 250*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
	t.Run("a refusing proxy refuses and ends what is open", func(t *testing.T) {
		defer heal(t)
		result := make(chan error, 1)
		go func() {
			body := `{"create_request":{"key":"` + b64("k") + `"}}`
			_, err := post(within(t, 2*time.Minute), fresh, endpoint+"/v3/watch", body)
			result <- err
		}()
		for p.Conns() == 0 {
			time.Sleep(time.Millisecond)
		}
		p.Refuse()
		if err := <-result; err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the watch ended with %v", err)
		}
		if err := put(within(t, time.Minute), endpoint, "k"); !errors.Is(err, syscall.ECONNREFUSED) &&
			(err == nil || !strings.Contains(err.Error(), "refused")) {
			t.Error(err)
		}
	})
	t.Run("much data passes unharmed", func(t *testing.T) {
		value := strings.Repeat(b64("0123456789ab"), 50_000)
		if _, err := post(within(t, time.Minute), fresh, endpoint+"/v3/kv/put", `{"key":"AQ==","value":"`+value+`"}`); err != nil {
			t.Fatal(err)
		}
		got, err := post(within(t, time.Minute), fresh, endpoint+"/v3/kv/range", `{"key":"AQ=="}`)
		if err != nil || !strings.Contains(got, value) {
			t.Errorf("read %d bytes: %v", len(got), err)
		}
	})
}
