package etcd

import "slices"

// A watch holds the events that have arrived until Next takes them. How much
// is bounded for each watch and for all of them together. A watch that does
// not fit is cancelled at the server and created again, from where it was,
// when its consumer comes for more; others are not held up.

// watchShare is the part of Config.WatchBufferBytes that one watch may hold.
const watchShare = 8

// position is how far w has come. Of a quiet watch only the connection knows.
func (w *Watcher) position() position {
	a := w.at
	if a != nil && a.synced && !w.got.cut && a.conn.progress > w.got.rev {
		return behind(a.conn.progress)
	}
	return w.got
}

// accept takes in the events of one message on a. Two attachments of w may
// deliver the same ones while it moves: each of them delivers everything from
// where it began, which is no later than w's position was, so whatever lies
// behind the position is next, whoever brings it.
//
// The error means that the message makes no sense.
func (w *Watcher) accept(a *attachment, events []Event, fragment bool) error {
	w.got = w.position()
	if len(w.buf) == 0 {
		w.taken = w.got
	}
	var (
		room  = w.hub.share - w.size
		size  int64
		first = len(events)
		last  = len(events)
	)
	for i := range events {
		ev := &events[i]
		switch rev := ev.KV.ModRevision; {
		case rev < a.rev:
			return errShape("watch events out of order")
		case rev == a.rev:
			a.n++
		default:
			if w.got.cut && rev > w.got.rev && last == len(events) {
				// The rest of a revision was to be fetched again, and it is
				// no longer there.
				w.hub.end(w, w.compacted(w.got.rev+1))
				return nil
			}
			a.rev, a.n = rev, 1
		}
		if last < len(events) || w.got.has(a.rev, a.n) {
			continue
		}
		n := ev.bytes()
		if size+n > room && w.size+size > 0 {
			last = i // what follows is asked for again
			w.got.cut = a.rev == w.got.rev
			continue
		}
		first = min(first, i)
		size += n
		w.got = position{rev: a.rev, n: a.n}
	}
	if last == len(events) {
		if !fragment && a.rev == w.got.rev && a.n == w.got.n {
			w.got.whole, w.got.cut = true, false
		}
	} else if !w.got.cut {
		w.got.whole = true
	}
	w.keep(events, first, last, size)
	if last < len(events) && w.err == nil {
		w.hub.park(w)
	}
	return nil
}

// keep adds events[first:last] to what w holds, and makes room for them.
func (w *Watcher) keep(events []Event, first, last int, size int64) {
	if first >= last {
		return
	}
	fresh := events[first:last:last]
	if last < len(events) {
		fresh = slices.Clone(fresh) // let go of the rest
	}
	if len(w.buf) == 0 {
		w.buf = fresh
	} else {
		w.buf = append(w.buf, fresh...)
	}
	w.size += size
	h := w.hub
	h.held += size
	h.holders[w] = struct{}{}
	for h.held > h.budget && len(h.holders) > 1 {
		h.evict()
	}
	w.wake()
}

// evict takes from the watch that holds most, who is slow to take it.
func (h *watchHub) evict() {
	var most *Watcher
	for w := range h.holders {
		if most == nil || w.size > most.size {
			most = w
		}
	}
	h.park(most)
	most.drop()
	most.got = most.taken
}

// take gives Next what there is.
func (w *Watcher) take() (Events, bool) {
	if len(w.buf) == 0 && (w.err != nil || w.mark <= w.told) {
		w.resume()
		return Events{}, false
	}
	ev := Events{Events: w.buf}
	w.drop()
	w.got = w.position()
	w.taken = w.got
	w.told = max(w.told, w.got.reached())
	ev.Revision = w.told
	w.resume()
	return ev, true
}

// drop lets go of what w holds.
func (w *Watcher) drop() {
	w.hub.held -= w.size
	delete(w.hub.holders, w)
	w.buf, w.size = nil, 0
}

// resume puts a watch that was parked back, now that it has room.
func (w *Watcher) resume() {
	if w.full && w.err == nil && !w.hub.closed {
		w.full = false
		w.hub.place(w)
	}
}
