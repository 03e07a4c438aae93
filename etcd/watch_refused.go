package etcd

import "errors"

// onRefused takes in that the server did not create a watch.
func (cn *watchConn) onRefused(a *attachment, f *watchFrame) {
	delete(cn.atts, a.id)
	if !cn.link.duplex() {
		cn.cancel(a.id) // the server leaves the stream open
	}
	cn.over(a, f)
}

// onCanceled takes in that the server ended a watch.
func (cn *watchConn) onCanceled(a *attachment, f *watchFrame) {
	cn.detach(a) // cancels, too: after a compaction the server keeps the id
	cn.over(a, f)
}

// over settles what becomes of a watch that the server has ended on a.
func (cn *watchConn) over(a *attachment, f *watchFrame) {
	h, w := cn.h, a.w
	if w.moving == a {
		w.moving = nil
	}
	if w.at == a {
		w.got = w.position()
		w.at = nil
	}
	switch {
	case f.compact != 0:
		switch {
		case w.at != nil: // it was about to move, and has the old connection still
			h.moveAgain(w)
		case w.moving != nil && w.moving.created != 0:
			w.at, w.moving = w.moving, nil
		default:
			h.end(w, w.compacted(f.compact))
		}
	case cn.lacksToken(a, f) && h.c.tokens.drop(cn.token):
		// There was no token where authentication has just been switched on.
		w.stale++
		if cn.token != "" && !cn.good && cn.link.transport() == viaWebSocket {
			// The token was good a moment ago. Servers before 3.5.32, 3.6.13
			// and 3.7 take no token over a WebSocket.
			cn.ep.watch.refused(viaWebSocket)
		}
		h.retire(cn)
		if w.at == nil {
			if w.moving != nil {
				w.at, w.moving = w.moving, nil
			} else {
				h.place(w)
			}
		} else {
			h.moveAgain(w)
		}
	default:
		e := refused(f.reason)
		e.Endpoint, e.Message = cn.ep.url, h.c.redact(e.Message, cn.token)
		h.end(w, w.fail(e))
	}
	if len(cn.atts) == 0 && cn.role != roleShared {
		cn.stop(errIdle)
	}
}

// lacksToken reports whether a may have been refused because of the token of
// the connection, so that another one may help.
func (cn *watchConn) lacksToken(a *attachment, f *watchFrame) bool {
	if staleTokenReason(f.reason) {
		return a.w.stale < maxStale
	}
	// 3.4 says of every refusal that a permission is missing, and to a
	// WebSocket, whose token it does not take, always. Unlike its successors it
	// names the watch. Where the token has been good for one it can be believed.
	return f.id != allWatches && errors.Is(refused(f.reason).Kind, ErrPermissionDenied) &&
		a.created == 0 && (!cn.good || cn.token == "") && a.w.stale < maxDenied
}

// maxDenied is how often in a row a watch may be refused by a 3.4 before that
// is its error: once over a WebSocket, and once more over another transport,
// whose token may have run out.
const maxDenied = 2

// maxStale is how often in a row a watch may be refused because of its token
// before that is its error.
const maxStale = 5

// retire has another connection take the place of cn, whose watches move there
// while cn goes on delivering.
func (h *watchHub) retire(cn *watchConn) {
	if cn.role == roleLane || cn.role == roleRetiring {
		return // gone soon anyway
	}
	cn.role = roleRetiring
	h.forget(cn)
	if len(cn.atts) == 0 {
		cn.stop(errIdle)
	}
	for id := int64(1); id <= cn.lastID; id++ {
		if a := cn.atts[id]; a != nil && a.w.at == a {
			h.move(a.w)
		}
	}
}

// onLost takes in that the stream of one watch has ended. It is asked for
// again once the member has been found well.
func (cn *watchConn) onLost(lost *lostStream) {
	a := cn.atts[lost.id]
	if a == nil {
		return
	}
	for i, p := range cn.pending {
		if p.a == a {
			cn.pending = append(cn.pending[:i], cn.pending[i+1:]...)
			break
		}
	}
	w := a.w
	w.got = w.position()
	cn.lost = append(cn.lost, a)
	cn.checkSoon()
}

// again asks once more for the watches whose streams were lost.
func (cn *watchConn) again() {
	lost := cn.lost
	cn.lost = nil
	for _, a := range lost {
		if cn.atts[a.id] != a {
			continue
		}
		delete(cn.atts, a.id)
		delete(cn.catching, a)
		delete(cn.tell, a)
		fresh := cn.attach(a.w)
		if a.w.moving == a {
			a.w.moving = fresh
		} else {
			a.w.at = fresh
		}
	}
}
