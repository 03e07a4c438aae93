package etcdtest

import "time"

// resyncPeriod is how often watchers that have to catch up are served.
const resyncPeriod = 100 * time.Millisecond

// maxBatchRevisions is how many revisions one catch-up message holds at most.
const maxBatchRevisions = 1000

// watcher is one watch of a stream. The server's mutex guards it.
type watcher struct {
	span
	id       int64
	stream   *watchStream
	start    int64 // as asked for
	next     int64 // the first revision not delivered yet
	synced   bool
	behind   bool // synced as far as its member knows, but events were held back
	noPut    bool
	noDelete bool
	prevKV   bool
	fragment bool
	progress bool
	quiet    bool // nothing was sent since the last progress interval
}

// hub knows every watcher: the synced ones by what they watch, so that a
// commit finds them, and those that must catch up first.
type hub struct {
	byKey    watchers // of one key
	byPrefix watchers // of all keys that begin with it
	ranges   map[*watcher]struct{}
	unsynced map[*watcher]struct{}
	resync   *timer
}

type watchers map[string]map[*watcher]struct{}

func newHub() *hub {
	return &hub{
		byKey:    make(watchers),
		byPrefix: make(watchers),
		ranges:   make(map[*watcher]struct{}),
		unsynced: make(map[*watcher]struct{}),
	}
}

func (h *hub) addSynced(w *watcher) {
	w.synced = true
	switch {
	case w.single():
		h.byKey.add(w.key, w)
	case w.prefix():
		h.byPrefix.add(w.key, w)
	default:
		h.ranges[w] = struct{}{}
	}
}

func (h *hub) remove(w *watcher) {
	delete(h.unsynced, w)
	if !w.synced {
		return
	}
	w.synced = false
	switch {
	case w.single():
		h.byKey.remove(w.key, w)
	case w.prefix():
		h.byPrefix.remove(w.key, w)
	default:
		delete(h.ranges, w)
	}
}

func (ws watchers) add(key string, w *watcher) {
	if ws[key] == nil {
		ws[key] = make(map[*watcher]struct{})
	}
	ws[key][w] = struct{}{}
}

func (ws watchers) remove(key string, w *watcher) {
	if delete(ws[key], w); len(ws[key]) == 0 {
		delete(ws, key)
	}
}

// matching calls f for every synced watcher of key.
func (h *hub) matching(key string, f func(*watcher)) {
	for w := range h.byKey[key] {
		f(w)
	}
	for n := 1; n <= len(key); n++ {
		for w := range h.byPrefix[key[:n]] {
			f(w)
		}
	}
	for w := range h.ranges {
		if w.contains(key) {
			f(w)
		}
	}
}

// notify sends the events of one commit to the synced watchers.
func (s *Server) notify(evs []Event) {
	batch := make(map[*watcher][]Event)
	for _, ev := range evs {
		s.hub.matching(ev.KV.Key, func(w *watcher) { batch[w] = append(batch[w], ev) })
	}
	rev := evs[0].Revision
	for w, evs := range batch {
		if w.next > rev {
			continue // it starts in the future
		}
		if w.behind || w.stream.stalled() {
			w.behind = true // it is served when the stall ends
			continue
		}
		w.next = rev + 1
		s.deliver(w, evs, rev)
	}
}

// deliver queues one message of events, after the watcher's filters.
func (s *Server) deliver(w *watcher, evs []Event, rev int64) {
	if w.noPut || w.noDelete {
		var kept []Event
		for _, ev := range evs {
			if ev.Deleted && !w.noDelete || !ev.Deleted && !w.noPut {
				kept = append(kept, ev)
			}
		}
		if evs = kept; len(evs) == 0 {
			return
		}
	}
	w.quiet = false
	w.stream.send(&watchMessage{
		header: s.headerAt(w.stream.member, rev), id: w.id, events: evs,
		prevKV: w.prevKV, fragment: w.fragment, prevFrom: s.store.compacted + 1,
	})
}

// scheduleResync arms the timer for the next round of catching up. Rounds
// keep their phase, so a watcher waits between none and all of the period.
func (s *Server) scheduleResync() {
	if s.hub.resync != nil || len(s.hub.unsynced) == 0 || s.stallWatches {
		return
	}
	var d time.Duration
	if !s.opts.promptCatchUp {
		d = resyncPeriod - time.Since(s.born)%resyncPeriod
	}
	s.hub.resync = s.after(d, func() {
		s.hub.resync = nil
		s.catchUp()
		s.scheduleResync()
	})
}

// catchUp serves every unsynced watcher one batch.
func (s *Server) catchUp() {
	if s.stallWatches {
		return
	}
	for w := range s.hub.unsynced {
		if w.next < s.store.compacted {
			// The id stays taken until the client cancels it, and so long the
			// stream answers no progress request.
			s.hub.remove(w)
			w.stream.send(&watchMessage{
				header: s.headerAt(w.stream.member, 0), id: w.id, canceled: true, compact: s.store.compacted,
			})
			continue
		}
		view := s.viewRev(w.stream.member)
		evs, more := w.pending(s.store, view)
		w.next = max(w.next, view+1)
		if more > 0 {
			w.next = more
		} else {
			s.hub.remove(w)
			s.hub.addSynced(w)
			w.behind = w.next <= s.store.rev
		}
		if len(evs) > 0 {
			s.deliver(w, evs, view)
		}
	}
}

// release lets the watchers that were held back catch up. The caller holds the
// mutex.
func (s *Server) release() {
	for ws := range s.streams {
		if ws.stalled() {
			continue
		}
		for _, w := range ws.watchers {
			if w.behind {
				w.behind = false
				s.hub.remove(w)
				s.hub.unsynced[w] = struct{}{}
			}
		}
	}
	s.scheduleResync()
}

// pending collects what the watcher has missed up to view. Where that is more than one
// batch, more is the revision that the next one starts at.
func (w *watcher) pending(st *store, view int64) (evs []Event, more int64) {
	revs, last := 0, int64(0)
	for _, ev := range st.events(w.next, view) {
		if !w.contains(ev.KV.Key) {
			continue
		}
		if ev.Revision != last {
			if revs++; revs > maxBatchRevisions {
				return evs, ev.Revision
			}
			last = ev.Revision
		}
		evs = append(evs, ev)
	}
	return evs, 0
}
