package conformance

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

var webSocketFacts = topic{name: "WebSocket", facts: []fact{
	{"creates, cancels and progress share one connection", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		const n = 50
		for range n {
			w.send(t, o{"create_request": o{"key": g.key("k")}})
		}
		for range n {
			if f := w.next(t); !f.at("created").isTrue() {
				t.Fatalf("there came %s", f)
			}
		}
		g.put(t, "k", "")
		seen := map[int64]bool{}
		for range n {
			seen[w.next(t).at("watch_id").int64(t)] = true
		}
		if len(seen) != n {
			t.Errorf("%d of %d watches got the event", len(seen), n)
		}
		w.send(t, o{"cancel_request": o{"watch_id": 7}})
		if f := w.next(t); !f.at("canceled").isTrue() || f.at("watch_id").int64(t) != 7 {
			t.Errorf("there came %s", f)
		}
	}},
	{"frames are text without a newline at the end", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.send(t, o{"create_request": o{"key": g.key("k")}})
		if f := w.raw(t); strings.HasSuffix(f, "\n") || !strings.HasPrefix(f, `{"result":`) {
			t.Errorf("the frame is %q", f)
		}
	}},
	{"a ping is answered", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.ping(ctx); err != nil {
			t.Error(err)
		}
	}},
	{"a malformed message silently ends the input", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k")})
		w.send(t, `{"create_request":{"key":5}}`)
		w.send(t, o{"create_request": o{"key": g.key("k")}})
		w.silent(t)
		g.put(t, "k", "") // while what was created before goes on
		w.events(t, 0, 1)
	}},
	{"a message that asks for nothing is not answered", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.send(t, "{}")
		w.silent(t)
		w.watch(t, o{"key": g.key("k")})
	}},
	{"lease renewals share one connection", func(t *testing.T, g *gateway) {
		id := g.grant(t, 60)
		w := g.webSocket(t, "/v3/lease/keepalive")
		for range 2 {
			w.send(t, o{"ID": id})
			if n := w.next(t); !n.at("ID").is(id) || n.at("TTL").int64(t) != 60 {
				t.Errorf("the renewal is %s", n)
			}
		}
		unknown := newID()
		w.send(t, o{"ID": unknown})
		if n := w.next(t); !n.at("ID").is(unknown) || n.at("TTL").exists() {
			t.Errorf("the renewal of an unknown lease is %s", n)
		}
	}},
	{"a unary call is answered by 3.4 and 3.6 alone", func(t *testing.T, g *gateway) {
		w := g.webSocket(t, "/v3/kv/range")
		w.send(t, o{"key": g.key("k")})
		if g.minor != 4 && g.minor != 6 {
			w.silent(t)
		} else if n := w.frame(t); revision(t, n) == 0 {
			t.Errorf("there came %s", n)
		}
	}},
}}

var postStreamFacts = topic{name: "streaming POST", facts: []fact{
	{"a watch goes on after its complete body, a frame a line", func(t *testing.T, g *gateway) {
		s := g.stream(t, "/v3/watch", o{"create_request": o{"key": g.key("k")}})
		if f := s.raw(t); !strings.HasSuffix(f, "\n") || !strings.Contains(f, `"created":true`) {
			t.Errorf("the first frame is %q", f)
		}
		for _, value := range []string{"1", "2"} {
			g.put(t, "k", value)
			if e := s.events(t, 0, 1); e[0].at("kv", "value").bytes(t) != value {
				t.Errorf("the event is %v", e)
			}
			s.silent(t)
		}
	}},
	{"several creates fit into one body", func(t *testing.T, g *gateway) {
		create := func(key string) string { return marshal(t, o{"create_request": o{"key": g.key(key)}}) }
		s := g.stream(t, "/v3/watch", create("a")+"\n"+create("b")+create("c"))
		for want := range int64(3) {
			if n := s.next(t); !n.at("created").isTrue() || n.at("watch_id").int64(t) != want {
				t.Errorf("there came %s", n)
			}
		}
		g.put(t, "b", "")
		s.events(t, 1, 1)
	}},
	{"a body left open over HTTP/1.1 gets no answer until it ends", func(t *testing.T, g *gateway) {
		body, writer := io.Pipe()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		req, err := g.request(ctx, http.MethodPost, "/v3/watch", "")
		if err != nil {
			t.Fatal(err)
		}
		req.Body, req.ContentLength = io.NopCloser(body), -1
		answer := make(chan error, 1)
		var res *http.Response
		go func() {
			var err error
			res, err = g.http.Do(req) //nolint:bodyclose // closed below
			answer <- err
		}()
		go io.WriteString(writer, marshal(t, o{"create_request": o{"key": g.key("k")}})) //nolint:errcheck // the answer tells
		select {
		case err := <-answer:
			t.Fatalf("there is an answer: %v", err)
		case <-time.After(2 * quiet):
		}
		writer.Close()
		if err := <-answer; err != nil {
			t.Fatal(err)
		}
		s := pump(t, func() { cancel(); res.Body.Close() }, lines(res.Body))
		if n := s.next(t); !n.at("created").isTrue() {
			t.Errorf("there came %s", n)
		}
		g.put(t, "k", "")
		s.events(t, 0, 1)
	}},
	{"a malformed renewal is 500 code 2 before 3.6, and an empty reply since", func(t *testing.T, g *gateway) {
		for _, body := range []string{"{", `{"ID":[]}`, "nonsense"} {
			if g.minor < 6 {
				g.refused(t, "/v3/lease/keepalive", body, 500, 2, "")
			} else if r := g.send(t, http.MethodPost, "/v3/lease/keepalive", body); r.status != 200 || len(r.body) != 0 {
				t.Errorf("%s: %d: %q", body, r.status, r.body)
			}
		}
	}},
	{"an empty renewal body is answered by an empty reply", func(t *testing.T, g *gateway) {
		if r := g.send(t, http.MethodPost, "/v3/lease/keepalive", ""); r.status != 200 || len(r.body) != 0 {
			t.Errorf("%d: %q", r.status, r.body)
		}
	}},
	{"several renewals fit into one body", func(t *testing.T, g *gateway) {
		id, unknown := g.grant(t, 60), newID()
		s := g.stream(t, "/v3/lease/keepalive", marshal(t, o{"ID": id})+marshal(t, o{"ID": unknown}))
		if n := s.next(t); !n.at("ID").is(id) {
			t.Errorf("there came %s", n)
		}
		if n := s.next(t); !n.at("ID").is(unknown) || n.at("TTL").exists() {
			t.Errorf("there came %s", n)
		}
		s.ends(t)
	}},
}}

var http2Facts = topic{name: "TLS with HTTP/2", options: Options{TLS: true}, facts: []fact{
	{"unary calls run over HTTP/2", func(t *testing.T, g *gateway) {
		req, err := g.request(t.Context(), http.MethodPost, "/v3/kv/range", o{"key": g.key("k")})
		if err != nil {
			t.Fatal(err)
		}
		res, err := g.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.ProtoMajor != 2 || res.StatusCode != 200 {
			t.Errorf("%s %s", res.Proto, res.Status)
		}
	}},
	{"create, progress and cancel share one stream in both directions", func(t *testing.T, g *gateway) {
		body, writer := io.Pipe()
		ctx, cancel := context.WithCancel(context.Background())
		req, err := g.request(ctx, http.MethodPost, "/v3/watch", "")
		if err != nil {
			t.Fatal(err)
		}
		req.Body, req.ContentLength = body, -1
		go writer.Write([]byte(marshal(t, o{"create_request": o{"key": g.key("k")}}))) //nolint:errcheck // the answer tells
		res, err := g.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		s := pump(t, func() { cancel(); res.Body.Close(); writer.Close() }, lines(res.Body))
		s.write = func(text string) error { _, err := io.WriteString(writer, text); return err }
		if n := s.next(t); !n.at("created").isTrue() {
			t.Errorf("there came %s", n)
		}
		s.watch(t, o{"key": g.key("other")})
		rev := g.put(t, "k", "")
		s.events(t, 0, 1)
		s.send(t, o{"progress_request": o{}})
		if n := s.next(t); n.at("watch_id").int64(t) != -1 || revision(t, n) != rev {
			t.Errorf("there came %s", n)
		}
		s.send(t, o{"cancel_request": o{"watch_id": 1}})
		if n := s.next(t); !n.at("canceled").isTrue() || n.at("watch_id").int64(t) != 1 {
			t.Errorf("there came %s", n)
		}
		g.put(t, "k", "")
		s.events(t, 0, 1)
	}},
	{"a WebSocket works over TLS", func(t *testing.T, g *gateway) {
		c := *g
		transport := g.http.Transport.(*http.Transport).Clone()
		transport.ForceAttemptHTTP2 = false
		transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
		transport.TLSNextProto = nil
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(true)
		c.http = &http.Client{Transport: transport}
		w := c.watchSocket(t)
		w.watch(t, o{"key": g.key("k")})
		g.put(t, "k", "")
		w.events(t, 0, 1)
	}},
}}
