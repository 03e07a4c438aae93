package etcdtest

// watchStream is the server's end of one watch stream. The server's mutex
// guards it; its messages are written by the goroutine that serves the stream.
type watchStream struct {
	srv      *Server
	member   int
	token    string
	conn     *serverConn // nil where the request came straight to ServeHTTP
	watchers map[int64]*watcher
	nextID   int64
	out      []*watchMessage
	wake     chan struct{} // holds one token while out is not empty or the stream has ended
	ended    bool
	err      *Error // why it ended, if the client is to be told
	ticker   *timer

	wantsLeader bool // it ends where there is none
}

// watchMessage is one message of a stream before it is encoded.
type watchMessage struct {
	header   headerReply
	id       int64
	created  bool
	canceled bool
	compact  int64
	reason   string
	events   []Event
	prevKV   bool
	prevFrom int64 // previous values of events at or below it are compacted
	fragment bool
}

// openWatchStream makes the stream of a call, unless its member is down.
func (s *Server) openWatchStream(c *call) (*watchStream, *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.members[c.member].starts != c.born || s.members[c.member].down {
		return nil, errStopped
	}
	ws := &watchStream{
		srv: s, member: c.member, token: s.tokenOf(c.r), conn: connOf(c.r), wantsLeader: c.leader,
		watchers: make(map[int64]*watcher), wake: make(chan struct{}, 1),
	}
	s.streams[ws] = struct{}{}
	return ws, nil
}

func (ws *watchStream) close() {
	ws.srv.mu.Lock()
	defer ws.srv.mu.Unlock()
	ws.end(nil)
}

// stalled says whether events are held back from the stream for now.
func (ws *watchStream) stalled() bool {
	return ws.srv.stallWatches || ws.srv.members[ws.member].cutOff
}

func (ws *watchStream) send(m *watchMessage) {
	if ws.ended {
		return
	}
	ws.out = append(ws.out, m)
	ws.signal()
}

func (ws *watchStream) signal() {
	select {
	case ws.wake <- struct{}{}:
	default:
	}
}

// take returns what is queued and whether the stream has ended after it.
func (ws *watchStream) take() (out []*watchMessage, ended bool, err *Error) {
	ws.srv.mu.Lock()
	defer ws.srv.mu.Unlock()
	out, ws.out = ws.out, nil
	return out, ws.ended, ws.err
}

// end stops the stream after what is queued; err may be nil. The caller holds
// the mutex.
func (ws *watchStream) end(err *Error) {
	if ws.ended {
		return
	}
	ws.ended, ws.err = true, err
	ws.ticker.stop()
	for _, w := range ws.watchers {
		ws.srv.hub.remove(w)
	}
	ws.watchers = nil
	delete(ws.srv.streams, ws)
	ws.signal()
}

// handle carries out one request of the client.
func (ws *watchStream) handle(r *watchRequest) {
	ws.srv.mu.Lock()
	defer ws.srv.mu.Unlock()
	if ws.ended {
		return
	}
	switch {
	case r.create != nil:
		ws.create(r.create)
	case r.cancel != nil:
		ws.cancel(*r.cancel)
	case r.progress:
		ws.progressAll()
	}
}

func (ws *watchStream) header() headerReply {
	return ws.srv.headerAt(ws.member, ws.srv.viewRev(ws.member))
}

func (ws *watchStream) refuse(reason string) {
	ws.send(&watchMessage{header: ws.header(), id: -1, created: true, canceled: true, reason: reason})
}

func (ws *watchStream) create(r *watchCreate) {
	s := ws.srv
	if r.key == "" {
		r.key = "\x00"
	}
	if r.start < 0 {
		ws.refuse(errCompacted.Message)
		return
	}
	// The token is looked at anew for every watch: one that has run out lets
	// the watches that are there live, and refuses new ones.
	if reason := s.refusedWatch(s.logIn(ws.member, ws.token), r.span); reason != "" {
		id := int64(-1)
		if s.minor < 5 {
			id = r.id
		}
		ws.send(&watchMessage{header: ws.header(), id: id, created: true, canceled: true, reason: reason})
		return
	}
	if r.empty() {
		ws.refuse("mvcc: watcher range is empty")
		return
	}
	id := r.id
	if id == 0 {
		for ws.watchers[ws.nextID] != nil {
			ws.nextID++
		}
		id = ws.nextID
		ws.nextID++
	} else if ws.watchers[id] != nil {
		ws.refuse("mvcc: duplicate watch ID provided on the WatchStream")
		return
	}
	w := &watcher{
		span: r.span, id: id, stream: ws, start: r.start, next: r.start,
		noPut: r.noPut, noDelete: r.noDelete, prevKV: r.prevKV, fragment: r.fragment, progress: r.progress, quiet: true,
	}
	ws.watchers[id] = w
	if view := s.viewRev(ws.member); r.start == 0 || r.start > view {
		w.next = max(r.start, view+1)
		w.behind = w.next <= s.store.rev
		s.hub.addSynced(w)
	} else {
		s.hub.unsynced[w] = struct{}{}
		s.scheduleResync()
	}
	ws.send(&watchMessage{header: ws.header(), id: id, created: true})
	if w.progress {
		ws.tick()
	}
}

func (ws *watchStream) cancel(id int64) {
	w := ws.watchers[id]
	if w == nil {
		return
	}
	delete(ws.watchers, id)
	ws.srv.hub.remove(w)
	ws.send(&watchMessage{header: ws.header(), id: id, canceled: true})
}

// progressAll answers a progress request for the whole stream, but only if
// every watcher of it has caught up. Before 3.5.8 it is answered whatever is
// still to come.
func (ws *watchStream) progressAll() {
	if s := ws.srv; s.minor < 5 || s.minor == 5 && s.patch < 8 {
		ws.send(&watchMessage{header: ws.header(), id: -1})
		return
	}
	for _, w := range ws.watchers {
		if !w.synced || ws.srv.viewRev(ws.member) < w.start || w.behind && ws.srv.stallWatches {
			return
		}
	}
	if len(ws.watchers) > 0 {
		ws.send(&watchMessage{header: ws.header(), id: -1})
	}
}

// tick keeps the timer that reports progress on watches that asked for it.
func (ws *watchStream) tick() {
	if ws.ticker != nil {
		return
	}
	for _, w := range ws.watchers {
		if w.progress {
			ws.ticker = ws.srv.after(ws.srv.opts.progressInterval, func() {
				ws.ticker = nil
				for _, w := range ws.watchers {
					if w.progress && w.quiet && w.synced && !w.behind && ws.srv.store.rev >= w.start {
						ws.send(&watchMessage{header: ws.header(), id: w.id})
					}
					w.quiet = true
				}
				ws.tick()
			})
			return
		}
	}
}
