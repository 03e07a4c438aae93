package conformance

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// leaderless takes the quorum away and looks at everything a client can see of
// it, with the streams opened while all was well.
func leaderless(t *testing.T, g *gateway) {
	strict := g.with("Grpc-Metadata-hasleader", "true")
	create := o{"create_request": o{"key": g.key("k")}}
	plainPost, strictPost := g.stream(t, "/v3/watch", create), strict.stream(t, "/v3/watch", create)
	socket := strict.watchSocket(t) // whose header is not forwarded
	socket.send(t, create)
	for _, s := range []*stream{plainPost, strictPost, socket} {
		if n := s.next(t); !n.at("created").isTrue() {
			t.Fatalf("there came %s", n)
		}
	}
	g.LoseQuorum()
	lost := time.Now()

	t.Run("a unary call with hasleader fails at once", func(t *testing.T) {
		// It takes an election timeout until the member knows.
		deadline := time.Now().Add(patience)
		for {
			// At once: any other call hangs for 7 s, as is seen below.
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			r, err := strict.try(ctx, http.MethodPost, "/v3/kv/range", o{"key": g.key("k")})
			cancel()
			if err == nil && r.status != 200 {
				g.isError(t, "/v3/kv/range", r, 503, 14, noLeader)
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("no error: %d %v", r.status, err)
			}
		}
		g.refusedBy(t, strict, "/v3/kv/put", o{"key": g.key("k")})
		g.refusedBy(t, strict, "/v3/lease/grant", o{"TTL": 60})
	})
	t.Run("Grpc-Timeout bounds a call that would hang", func(t *testing.T) {
		begin := time.Now()
		r := g.with("Grpc-Timeout", "300m").send(t, http.MethodPost, "/v3/kv/put", o{"key": g.key("k"), "value": b64("late")})
		took := time.Since(begin)
		if r.status != 504 || took < 250*time.Millisecond || took > 5*time.Second {
			t.Errorf("%d after %v: %s", r.status, took, r.body)
		}
		g.isError(t, "/v3/kv/put", r, 504, 4, "")
	})
	t.Run("a serializable read is answered from what is there", func(t *testing.T) {
		if n := g.post(t, "/v3/kv/range", o{"key": g.key("k"), "serializable": true}); n.at("kvs", 0, "value").bytes(t) != "v" {
			t.Errorf("it read %s", n)
		}
	})
	t.Run("a WebSocket goes on answering pings and progress", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := socket.ping(ctx); err != nil {
			t.Error(err)
		}
		socket.send(t, o{"progress_request": o{}})
		if n := socket.next(t); n.at("watch_id").int64(t) != -1 {
			t.Errorf("there came %s", n)
		}
	})
	t.Run("a watch with hasleader ends with an error", func(t *testing.T) {
		frames := strictPost.ends(t)
		if took := time.Since(lost); took < time.Second || took > patience {
			t.Errorf("it ended after %v", took)
		}
		if len(frames) != 1 {
			t.Fatalf("the last frames are %q", frames)
		}
		g.isStreamError(t, frames[0], 14, noLeader)
	})
	t.Run("a call without a bound is answered after 7 seconds, with 500 code 2 in 3.4", func(t *testing.T) {
		begin := time.Now()
		r := g.send(t, http.MethodPost, "/v3/kv/put", o{"key": g.key("k")})
		if took := time.Since(begin); took < 6900*time.Millisecond || took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		status, code := 504, 4
		if g.minor < 5 {
			status, code = 500, 2
		}
		g.isError(t, "/v3/kv/put", r, status, code, "context deadline exceeded")
	})
	t.Run("a plain watch stays silently open", func(t *testing.T) {
		plainPost.silent(t)
		socket.silent(t)
	})
}

// refusedBy checks that there is no leader for a call.
func (g *gateway) refusedBy(t *testing.T, strict *gateway, path string, body any) {
	t.Helper()
	strict.refused(t, path, body, 503, 14, noLeader)
}

// isStreamError checks the frame of an error: before 3.6 it has its own form,
// and no newline behind it.
func (g *gateway) isStreamError(t testing.TB, frame string, code int, message string) {
	t.Helper()
	n, err := parse([]byte(frame))
	if err != nil {
		t.Fatalf("%v in %q", err, frame)
	}
	e := n.at("error")
	field := "code"
	if g.minor < 6 {
		field = "grpc_code"
		if e.at("http_code").int(t) == 0 || e.at("http_status").text() == "" {
			t.Errorf("the error is %s", e)
		}
	}
	if got := e.at(field).int(t); got != int64(code) || e.at("message").text() != message {
		t.Errorf("the error is %s", e)
	}
	if newline := frame[len(frame)-1] == '\n'; newline != (g.minor > 5) {
		t.Errorf("it ends with a newline: %v", newline)
	}
}
