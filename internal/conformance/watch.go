package conformance

import (
	"fmt"
	"strings"
	"testing"
)

var watchFacts = topic{name: "watches", facts: []fact{
	{"the first id is zero and so absent, the next are 1 and 2", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		if n := w.watch(t, o{"key": g.key("a")}); n.at("watch_id").exists() || revision(t, n) == 0 {
			t.Errorf("created is %s", n)
		}
		for want := range int64(2) {
			if n := w.watch(t, o{"key": g.key("a")}); n.at("watch_id").int64(t) != want+1 {
				t.Errorf("created is %s", n)
			}
		}
	}},
	{"a put has no type, a deletion has one and no value", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k")})
		rev := g.put(t, "k", "v")
		e := w.events(t, 0, 1)[0]
		if e.at("type").exists() || !e.at("kv", "key").is(g.key("k")) || e.at("kv", "value").bytes(t) != "v" ||
			e.at("kv", "mod_revision").int64(t) != rev || e.at("kv", "version").int64(t) != 1 || e.at("prev_kv").exists() {
			t.Errorf("the put is %s", e)
		}
		rev = g.delete(t, "k")
		e = w.events(t, 0, 1)[0]
		if !e.at("type").is("DELETE") || !e.at("kv", "key").is(g.key("k")) || e.at("kv", "mod_revision").int64(t) != rev ||
			len(e.at("kv").members()) != 2 {
			t.Errorf("the deletion is %s", e)
		}
	}},
	{"prev_kv brings what was there before", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k"), "prev_kv": true})
		g.put(t, "k", "1")
		g.put(t, "k", "2")
		g.delete(t, "k")
		e := w.events(t, 0, 3)
		if e[0].at("prev_kv").exists() || e[1].at("prev_kv", "value").bytes(t) != "1" || e[2].at("prev_kv", "value").bytes(t) != "2" {
			t.Errorf("the events are %v", e)
		}
	}},
	{"a range is watched up to its end", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("a"), "range_end": g.key("c")})
		for _, k := range []string{"0", "a", "c", "b"} {
			g.put(t, k, "")
		}
		e := w.events(t, 0, 2)
		if !e[0].at("kv", "key").is(g.key("a")) || !e[1].at("kv", "key").is(g.key("b")) {
			t.Errorf("the events are %v", e)
		}
	}},
	{"the end of one zero byte watches all that follow", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("b"), "range_end": "AA=="})
		g.put(t, "a", "")
		g.put(t, "c", "")
		if e := w.events(t, 0, 1); !e[0].at("kv", "key").is(g.key("c")) {
			t.Errorf("the event is %v", e)
		}
	}},
	{"filters leave out puts or deletions, by name or number", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k"), "filters": a{"NOPUT"}})
		w.watch(t, o{"key": g.key("k"), "filters": a{1}})
		g.put(t, "k", "")
		if f := w.next(t); f.at("watch_id").int64(t) != 1 || f.at("events", 0, "type").exists() {
			t.Errorf("the put came as %s", f)
		}
		g.delete(t, "k")
		if f := w.next(t); f.at("watch_id").exists() || !f.at("events", 0, "type").is("DELETE") {
			t.Errorf("the deletion came as %s", f)
		}
	}},
	{"the events of one txn come in one frame, in the txn's order", func(t *testing.T, g *gateway) {
		g.put(t, "c", "")
		w := g.watchSocket(t)
		w.watch(t, g.own(nil))
		rev := revision(t, g.txn(t, o{"success": a{g.opPut("b", ""), g.opDelete("c"), nested(g.opPut("a", ""))}}))
		f := w.next(t)
		if f.at("events").length() != 3 || revision(t, f) != rev {
			t.Fatalf("the frame is %s", f)
		}
		for i, want := range []string{"b", "c", "a"} {
			e := f.at("events", i)
			if !e.at("kv", "key").is(g.key(want)) || e.at("kv", "mod_revision").int64(t) != rev {
				t.Errorf("event %d is %s", i, e)
			}
		}
	}},
	{"an id can be chosen, and taken but once", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		if n := w.watch(t, o{"key": g.key("a"), "watch_id": "77"}); n.at("watch_id").int64(t) != 77 {
			t.Errorf("created is %s", n)
		}
		w.send(t, o{"create_request": o{"key": g.key("b"), "watch_id": "77"}})
		n := w.next(t)
		if !n.at("canceled").isTrue() || !n.at("created").isTrue() || n.at("watch_id").int64(t) != -1 ||
			!n.at("cancel_reason").is("mvcc: duplicate watch ID provided on the WatchStream") {
			t.Errorf("the second is answered by %s", n)
		}
		g.put(t, "a", "")
		w.events(t, 77, 1)
	}},
	{"a cancelled watch says so and sends no more", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("a")})
		w.watch(t, o{"key": g.key("a")})
		w.send(t, o{"cancel_request": o{"watch_id": "1"}})
		if n := w.next(t); !n.at("canceled").isTrue() || n.at("watch_id").int64(t) != 1 || n.at("created").exists() || n.at("cancel_reason").exists() {
			t.Errorf("the answer is %s", n)
		}
		g.put(t, "a", "")
		w.events(t, 0, 1)
		w.silent(t)
	}},
	{"cancelling a watch there is not is not answered", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("a")})
		w.send(t, o{"cancel_request": o{"watch_id": "99"}})
		w.silent(t)
	}},
	{"an asked-for progress is answered once all is delivered, for watch -1", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("a")})
		rev := g.put(t, "a", "")
		w.events(t, 0, 1)
		rev = max(rev, g.put(t, "other", ""))
		w.send(t, o{"progress_request": o{}})
		n := w.next(t)
		if n.at("watch_id").int64(t) != -1 || n.at("events").exists() || n.at("created").exists() {
			t.Errorf("the answer is %s", n)
		}
		if got := revision(t, n); got != rev {
			t.Errorf("progress says %d, the revision is %d", got, rev)
		}
	}},
	{"a range whose end is not behind its start is refused", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.send(t, o{"create_request": o{"key": g.key("b"), "range_end": g.key("a")}})
		n := w.next(t)
		if !n.at("canceled").isTrue() || !n.at("created").isTrue() || n.at("watch_id").int64(t) != -1 {
			t.Errorf("the answer is %s", n)
		}
	}},
	{"two watches of one key each get the event", func(t *testing.T, g *gateway) {
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("a")})
		w.watch(t, o{"key": g.key("a")})
		g.put(t, "a", "")
		seen := w.next(t).at("watch_id").int64(t) + w.next(t).at("watch_id").int64(t)
		if seen != 1 {
			t.Errorf("the ids add up to %d", seen)
		}
	}},
}}

var watchPastFacts = topic{name: "watches of the past and the future", facts: []fact{
	{"a watch without a start sees only what comes after created", func(t *testing.T, g *gateway) {
		g.put(t, "k", "before")
		w := g.watchSocket(t)
		created := w.watch(t, o{"key": g.key("k")})
		rev := g.put(t, "k", "after")
		if revision(t, created) >= rev {
			t.Errorf("created says %d, the put is %d", revision(t, created), rev)
		}
		if e := w.events(t, 0, 1); e[0].at("kv", "value").bytes(t) != "after" {
			t.Errorf("the event is %v", e)
		}
	}},
	{"a watch from the past gets everything in order, and then goes on", func(t *testing.T, g *gateway) {
		first := g.put(t, "k", "0")
		for i := range 9 {
			g.put(t, "k", fmt.Sprint(i+1))
		}
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k"), "start_revision": first})
		for i, e := range w.events(t, 0, 10) {
			if e.at("kv", "value").bytes(t) != fmt.Sprint(i) {
				t.Errorf("event %d is %s", i, e)
			}
		}
		g.put(t, "k", "live")
		if e := w.events(t, 0, 1); e[0].at("kv", "value").bytes(t) != "live" {
			t.Errorf("then came %v", e)
		}
	}},
	{"the start itself is included", func(t *testing.T, g *gateway) {
		g.put(t, "k", "1")
		second := g.put(t, "k", "2")
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k"), "start_revision": second})
		if e := w.events(t, 0, 1); e[0].at("kv", "value").bytes(t) != "2" {
			t.Errorf("the event is %v", e)
		}
	}},
	{"a start in the next revision misses nothing", func(t *testing.T, g *gateway) {
		now := g.put(t, "k", "1")
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k"), "start_revision": now + 1})
		g.put(t, "k", "2")
		if e := w.events(t, 0, 1); e[0].at("kv", "value").bytes(t) != "2" {
			t.Errorf("the event is %v", e)
		}
	}},
	{"a start in the future is accepted, and what comes before it is left out", func(t *testing.T, g *gateway) {
		now := g.put(t, "k", "0")
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k"), "start_revision": now + 3})
		for i := range 3 {
			g.put(t, "k", fmt.Sprint(i+1))
		}
		if e := w.events(t, 0, 1); e[0].at("kv", "value").bytes(t) != "3" {
			t.Errorf("the event is %v", e)
		}
	}},
	{"prev_kv works in the past", func(t *testing.T, g *gateway) {
		g.put(t, "k", "1")
		second := g.put(t, "k", "2")
		g.delete(t, "k")
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k"), "start_revision": second, "prev_kv": true})
		e := w.events(t, 0, 2)
		if e[0].at("prev_kv", "value").bytes(t) != "1" || e[1].at("prev_kv", "value").bytes(t) != "2" {
			t.Errorf("the events are %v", e)
		}
	}},
}}

// bulk is more than etcd puts into one frame when it is asked to split: its
// request limit, 1.5 MiB, plus 512 KiB.
func (g *gateway) bulk(t *testing.T) (first int64) {
	for i := range 4 {
		rev := g.put(t, fmt.Sprint(i), strings.Repeat("x", 700<<10))
		if i == 0 {
			first = rev
		}
	}
	return first
}

var watchSizeFacts = topic{name: "watches of much data", facts: []fact{
	{"without fragment a frame is as large as it gets", func(t *testing.T, g *gateway) {
		first := g.bulk(t)
		w := g.watchSocket(t)
		w.watch(t, g.own(o{"start_revision": first}))
		f := w.next(t)
		if f.at("events").length() != 4 || f.at("fragment").exists() {
			t.Errorf("the first frame has %d events", f.at("events").length())
		}
	}},
	{"with fragment all frames but the last say so", func(t *testing.T, g *gateway) {
		first := g.bulk(t)
		w := g.watchSocket(t)
		w.watch(t, g.own(o{"start_revision": first, "fragment": true}))
		events, frames := 0, 0
		for {
			f := w.next(t)
			frames++
			events += f.at("events").length()
			if !f.at("fragment").exists() {
				break
			}
		}
		if events != 4 || frames < 2 {
			t.Errorf("%d events in %d frames", events, frames)
		}
	}},
}}
