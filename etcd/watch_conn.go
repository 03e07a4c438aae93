package etcd

import (
	"context"
	"errors"
	"time"
)

// connRole is what a connection is for.
type connRole uint8

const (
	roleShared   connRole = iota // live watches
	roleLane                     // watches that catch up, until they are live
	roleOwn                      // a single bulky watch
	roleRetiring                 // watches that are about to have another one
)

// errIdle ends a connection that nobody needs.
var errIdle = errors.New("the connection is not needed any more")

// A watchConn is one connection with watches on it. It is made when the first
// of them comes, before there is anything to carry them, and it is not used
// again once it was lost: its watches get another one.
type watchConn struct {
	h      *watchHub
	ctx    context.Context // ends, with a cause, when the connection is to end
	quit   context.CancelCauseFunc
	flowed int64         // what had come at the last check, whose goroutine it belongs to
	wake   chan struct{} // holds a token when there is something for the writer
	poke   chan struct{} // holds a token when the connection is to be checked

	// All below is guarded by h.mu.

	role    connRole
	openErr error // why it could not be opened so far
	ep      *endpoint
	link    watchLink // nil until it is open
	token   string
	readKey string // for checks
	opened  time.Time
	stale   time.Time // when its token is to be replaced; zero is never
	retire  time.Time // when to make another one in its place; zero is never

	atts     map[int64]*attachment
	lastID   int64
	catching map[*attachment]struct{} // created, with the past still to come
	tell     map[*attachment]struct{} // those that want to know of progress
	lost     []*attachment            // whose stream was lost while the connection lives
	pending  []pendingCreate          // not answered, oldest first
	out      []outMessage             // not sent

	heard     bool   // something came
	silent    int    // checks that found that nothing had come, but should have
	good      bool   // a watch was created
	member    uint64 // who is at the other end
	rev       int64  // the highest revision in its headers
	inStep    bool   // progress can be asked for, and what it says holds
	progress  int64  // every event up to it was sent to all that are synced
	asked     int    // how often progress was asked for, or where it can't be, checked
	answers   int    // how often it was told
	lag       lagging
	idleSince time.Time // when the last watch left
	checked   time.Time // when it was checked last
}

func newWatchConn(h *watchHub, role connRole) *watchConn {
	cn := &watchConn{
		h: h, role: role,
		wake: make(chan struct{}, 1), poke: make(chan struct{}, 1),
		atts:     make(map[int64]*attachment),
		catching: make(map[*attachment]struct{}),
		tell:     make(map[*attachment]struct{}),
	}
	cn.ctx, cn.quit = context.WithCancelCause(h.c.life)
	return cn
}

// stop ends the connection; the first cause counts.
func (cn *watchConn) stop(err error) { cn.quit(err) }

// run is the life of the connection.
func (cn *watchConn) run() {
	defer cn.quit(nil)
	link, err := cn.dial()
	if err == nil {
		err = cn.serve(link)
	}
	cn.h.connLost(cn, err)
}

// serve uses an open link until the connection ends.
func (cn *watchConn) serve(link watchLink) error {
	cn.h.connOpen(cn, link)
	c := cn.h.c
	ended := make(chan struct{}, 3)
	for _, part := range []func(watchLink) error{cn.read, cn.write, cn.mind} {
		go func() {
			cn.stop(part(link))
			ended <- struct{}{}
		}()
	}
	<-cn.ctx.Done()
	link.close()
	for range cap(ended) {
		<-ended
	}
	err := context.Cause(cn.ctx)
	c.log.Debug("etcd watch connection ended", "endpoint", cn.ep.url, "transport", link.transport().String(), "reason", err)
	if hook := c.cfg.Hooks.Watch; hook != nil {
		hook(WatchConnInfo{Endpoint: cn.ep.url, Transport: link.transport().String(), Err: err})
	}
	return err
}

// connOpen asks for the watches that wait for the connection. From then on each
// is asked for as it comes.
func (h *watchHub) connOpen(cn *watchConn, link watchLink) {
	if hook := h.c.cfg.Hooks.Watch; hook != nil {
		hook(WatchConnInfo{Endpoint: cn.ep.url, Transport: link.transport().String(), Open: true})
	}
	h.c.log.Debug("etcd watch connection opened", "endpoint", cn.ep.url, "transport", link.transport().String())
	h.mu.Lock()
	defer h.mu.Unlock()
	cn.link, cn.checked = link, time.Now()
	if cn.role == roleLane && !link.duplex() && h.joinShared(cn) {
		return
	}
	for id := int64(1); id <= cn.lastID; id++ { // in the order they came
		a := cn.atts[id]
		if a == nil {
			continue
		}
		if w := a.w; cn.role == roleShared && link.duplex() && w.at == a && w.created != 0 &&
			!w.set.IsSingle() && cn.rev-w.got.rev > resumeAmongLive {
			// What it has missed may be much; it must not hold up the others.
			delete(cn.atts, id)
			w.at = nil
			if lane := h.lane(); lane != nil {
				w.at = lane.attach(w)
			}
			continue
		}
		cn.create(a)
	}
	if len(cn.atts) == 0 {
		cn.idleSince = time.Now()
	}
}

// joinShared makes a lane whose watches all have streams of their own the shared
// connection, or hands them over to that, because every connection is checked. It
// reports whether nothing is left to be done here.
func (h *watchHub) joinShared(cn *watchConn) bool {
	switch s := h.shared; {
	case s == nil:
		h.forget(cn)
		cn.role, h.shared = roleShared, cn
		return false
	case s.link != nil && s.link.duplex():
		return false // they move there as from any lane
	default:
		h.forget(cn)
		for id := int64(1); id <= cn.lastID; id++ {
			if a := cn.atts[id]; a != nil && a.w.at == a {
				a.w.at = s.attach(a.w)
			}
		}
		clear(cn.atts)
		cn.stop(errIdle)
		return true
	}
}

// resumeAmongLive is how many revisions a watch of many keys may have missed
// and still be resumed on the shared connection.
const resumeAmongLive = 1000

// connLost gives the watches of a connection that has ended to others.
func (h *watchHub) connLost(cn *watchConn, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, cn)
	h.forget(cn)
	switch {
	case errors.Is(why, errIdle) || cn.link == nil:
	case time.Since(cn.opened) < steadyAfter:
		h.flaps++
	default:
		h.flaps = 0
	}
	cn.link = nil
	final := errors.Is(why, ErrUnauthenticated)
	for id := int64(1); id <= cn.lastID; id++ {
		a := cn.atts[id]
		if a == nil {
			continue
		}
		w := a.w
		switch {
		case final:
			h.end(w, w.refusedBy(why))
			continue
		case a == w.moving:
			w.moving = nil
			h.moveAgain(w)
			continue
		}
		w.got = w.position()
		w.at = nil
		if w.moving != nil {
			w.at, w.moving = w.moving, nil
		} else if !h.closed {
			h.place(w)
		}
	}
	clear(cn.atts)
}

// forget stops giving watches to cn.
func (h *watchHub) forget(cn *watchConn) {
	if h.shared == cn {
		h.shared = nil
	}
	for i, l := range h.lanes {
		if l == cn {
			h.lanes = append(h.lanes[:i], h.lanes[i+1:]...)
			break
		}
	}
}

// steadyAfter is how long a connection must have lived to be replaced without
// a pause.
const steadyAfter = 5 * time.Second

// refusedBy makes an error of the connection one of the watch.
func (w *Watcher) refusedBy(err error) error {
	e := &Error{Err: err}
	var cause *Error
	if errors.As(err, &cause) {
		e.Kind, e.Code, e.Endpoint = cause.Kind, cause.Code, cause.Endpoint
		e.Message, e.Err = cause.Message, cause.Err
	}
	return w.fail(e)
}
