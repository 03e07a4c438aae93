package etcd

import "time"

// An attachment is a watch on a connection. A watch that changes its
// connection has two for a while.
type attachment struct {
	w    *Watcher
	conn *watchConn
	id   int64 // of the watch on the connection

	exact   bool  // ask for the very revision that is next
	start   int64 // the revision asked for; 0 is live
	created int64 // revision of the header of "created"; 0 before
	mark    int   // signs of progress asked for, or checks, before it was created
	synced  bool  // the server has sent all it had to catch up with

	rev int64 // revision of the last event that came
	n   int32 // number of events of that revision that came
}

// A pendingCreate is a request that has not been answered.
type pendingCreate struct {
	a    *attachment
	sent time.Time
}

// attach adds w to the connection.
func (cn *watchConn) attach(w *Watcher) *attachment {
	a := &attachment{w: w, conn: cn}
	cn.add(a)
	return a
}

func (cn *watchConn) add(a *attachment) {
	cn.lastID++
	a.id = cn.lastID
	cn.atts[a.id] = a
	if cn.link == nil {
		return // until it is open
	}
	cn.create(a)
	if len(cn.atts) == 1 && time.Since(cn.checked) > checkPeriod {
		cn.checkSoon() // nobody has looked since the last watch left
	}
}

// create asks for a's watch. Where nothing seems to have been missed it asks
// for a live one: of those the server knows at once that they are up to date,
// while a revision to come keeps it from saying so of the whole connection.
func (cn *watchConn) create(a *attachment) {
	w := a.w
	if next := w.position().next(); w.placed() && (a.exact || next <= cn.rev) {
		a.start = next
	}
	tell := !cn.inStep
	cn.pending = append(cn.pending, pendingCreate{a, time.Now()})
	cn.post(outMessage{create: true, id: a.id, body: appendWatchCreate(nil, cn.h.c.ns, w, a.id, a.start, tell)})
}

// detach takes a off the connection and cancels it at the server.
func (cn *watchConn) detach(a *attachment) {
	if cn.atts[a.id] != a {
		return
	}
	delete(cn.atts, a.id)
	delete(cn.catching, a)
	delete(cn.tell, a)
	if cn.link != nil {
		cn.cancel(a.id)
	}
	if len(cn.atts) == 0 {
		cn.idleSince = time.Now()
		if cn.role != roleShared || cn.link == nil {
			cn.stop(errIdle)
		}
	}
}

func (cn *watchConn) cancel(id int64) {
	cn.post(outMessage{cancel: true, id: id, body: appendWatchCancel(nil, id)})
}

// onCreated takes in the server's word that a watch is there, or will not be.
func (cn *watchConn) onCreated(f *watchFrame) error {
	a := cn.answered(f)
	if a == nil {
		return errShape("a watch was created that was not asked for")
	}
	if cn.atts[a.id] != a {
		return nil // given up in between; its cancellation is on the way
	}
	if f.canceled {
		cn.onRefused(a, f)
		return nil
	}
	if f.header.Revision <= 0 {
		return errShape("a watch was created at no revision")
	}
	w := a.w
	if !cn.good {
		cn.ep.watch.worked(cn.link.transport())
	}
	cn.good, w.stale = true, 0
	if a.start == 0 && w.placed() && w.position().next() <= f.header.Revision {
		cn.exactly(a) // something was missed after all
		return nil
	}
	a.created, a.mark = f.header.Revision, cn.asked
	a.synced = a.start == 0 || a.start > a.created
	if w.opts.progress {
		cn.tell[a] = struct{}{}
	}
	if w.created == 0 {
		if !w.placed() {
			w.got = behind(a.created)
		}
		w.created = a.created
		w.wake()
	}
	if a.synced {
		cn.onSynced(a)
		return nil
	}
	cn.catching[a] = struct{}{}
	cn.nudge()
	return nil
}

// placed reports whether w has a position to go on from.
func (w *Watcher) placed() bool { return w.created != 0 || w.opts.start != 0 }

// exactly puts another attachment in the place of a, from w's position on.
func (cn *watchConn) exactly(a *attachment) {
	w := a.w
	fresh := &attachment{w: w, conn: cn, exact: true}
	cn.add(fresh)
	if w.moving == a {
		w.moving = fresh
	} else {
		w.at = fresh
	}
	cn.detach(a)
}

// answered finds the request that a message answers. A server answers in order
// and names the watch, unless it refuses it.
func (cn *watchConn) answered(f *watchFrame) *attachment {
	for i, p := range cn.pending {
		if p.a.id == f.id || f.id == allWatches && f.canceled {
			if i > 0 && cn.link.duplex() {
				return nil
			}
			if i == 0 {
				cn.pending[0].a = nil
				cn.pending = cn.pending[1:]
			} else {
				cn.pending = append(cn.pending[:i], cn.pending[i+1:]...)
			}
			return p.a
		}
	}
	return nil
}

// onSynced goes on with a watch whose events now come as they happen.
func (cn *watchConn) onSynced(a *attachment) {
	a.synced = true
	delete(cn.catching, a)
	w := a.w
	switch {
	case w.moving == a:
		w.got = w.position()
		old := w.at
		w.at, w.moving = a, nil
		old.conn.detach(old)
	case cn.role == roleLane:
		cn.h.move(w)
	}
}

// presumeSynced goes on, at a check, with watches that were created before the
// check before, where the server can't be asked whether it has caught up with
// them. It has told by then if it can't; and a watch that leaves its old stream
// loses nothing, since the new one brings all from its position on.
func (cn *watchConn) presumeSynced() {
	for a := range cn.catching {
		if a.mark < cn.asked {
			cn.onSynced(a)
		}
	}
	cn.asked++
}

// move attaches w to the shared connection, beside where it is. It leaves the
// old one when the new one delivers all the old one has yet to bring.
func (h *watchHub) move(w *Watcher) {
	if w.moving != nil || w.at == nil {
		return
	}
	var to *watchConn
	if w.opts.bulky {
		to = h.open(roleOwn)
	} else {
		to = h.sharedConn()
	}
	if to != nil && to != w.at.conn {
		w.moving = to.attach(w)
	}
}

// moveAgain has w move once more, where it was lost to move to, if it is where
// it must not stay: on a connection that is to end, or on one to catch up with
// although it has.
func (h *watchHub) moveAgain(w *Watcher) {
	if w.at == nil || h.closed {
		return
	}
	if role := w.at.conn.role; role == roleRetiring || role == roleLane && w.at.synced {
		h.move(w)
	}
}

// onProgress takes in that every event up to rev has been sent to all watches
// of the connection that were there when the server was asked.
func (cn *watchConn) onProgress(rev int64) {
	if !cn.inStep {
		return // it may speak of events that are yet to come
	}
	cn.answers++
	cn.progress = max(cn.progress, rev)
	for a := range cn.catching {
		// The answer may have been made before the watch was, and that watch
		// have all to come.
		if cn.answers > a.mark || rev > a.created {
			cn.onCaughtUp(a, rev)
		}
	}
	for a := range cn.tell {
		if w := a.w; w.at == a && a.synced && cn.progress > max(w.mark, w.told) && w.position().rev == cn.progress {
			w.mark = cn.progress
			w.wake()
		}
	}
}

func (cn *watchConn) onCaughtUp(a *attachment, rev int64) {
	w := a.w
	if w.got.cut && a.rev <= w.got.rev && rev >= w.got.rev {
		cn.h.end(w, w.compacted(w.got.rev+1))
		return
	}
	cn.onSynced(a)
}

// onQuiet takes in that every event up to rev has been sent to one watch.
func (cn *watchConn) onQuiet(a *attachment, rev int64) {
	w := a.w
	if w.at != a || a.created == 0 || w.got.cut || rev <= w.got.rev || rev < a.start {
		return
	}
	w.got = behind(rev)
	if len(w.buf) == 0 {
		w.taken = w.got
	}
	if w.opts.progress && rev > w.told {
		w.mark = rev
		w.wake()
	}
}
