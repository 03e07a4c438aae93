package conformance

import (
	"testing"
	"time"
)

var watchProgressFacts = topic{name: "progress of watches", facts: []fact{
	{"progress is answered once a watch has caught up", func(t *testing.T, g *gateway) {
		first := g.put(t, "k", "0")
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k"), "start_revision": first})
		w.events(t, 0, 1) // caught up now
		deadline := time.Now().Add(patience)
		for time.Now().Before(deadline) {
			w.send(t, o{"progress_request": o{}})
			select {
			case f := <-w.frames:
				n, err := parse([]byte(f))
				if err != nil || n.at("result", "watch_id").int64(t) != -1 {
					t.Errorf("the answer is %s", f)
				}
				return
			case <-time.After(quiet):
			}
		}
		t.Error("no answer")
	}},
	{"what is told of progress follows the events, but may overtake them in 3.4", func(t *testing.T, g *gateway) {
		first := g.put(t, "k", "0")
		overtaken := false
		for range 20 {
			w := g.watchSocket(t)
			w.send(t, o{"create_request": o{"key": g.key("k"), "start_revision": first}})
			w.send(t, o{"progress_request": o{}})
			for {
				n := w.next(t)
				if n.at("events").exists() {
					break
				}
				overtaken = overtaken || n.at("watch_id").int64(t) == -1
			}
			if overtaken {
				break
			}
		}
		if overtaken != (g.minor < 5) {
			t.Errorf("events were overtaken: %v", overtaken)
		}
	}},
	{"progress of a stream without a watch is told by 3.4 alone", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.send(t, o{"progress_request": o{}})
		if g.minor > 4 {
			w.silent(t)
		} else if n := w.next(t); n.at("watch_id").int64(t) != -1 || revision(t, n) == 0 {
			t.Errorf("there came %s", n)
		}
	}},
}}
