package etcd

import (
	"fmt"
	"slices"
	"sync"
)

// A watchHub has the watches of a client and spreads them over connections:
// one that all live watches share, some for watches that have to catch up, and
// one each for bulky ones.
//
// Its mutex guards everything of watches, attachments and connections that is
// not said to be of one goroutine. It is never held across I/O.
type watchHub struct {
	c      *Client
	budget int64 // bytes that all watches may hold
	share  int64 // bytes that one may hold

	large sync.Mutex // held while a large message is read; never together with mu

	mu      sync.Mutex
	closed  bool
	all     map[*Watcher]struct{} // those that have not ended
	conns   map[*watchConn]struct{}
	shared  *watchConn   // for live watches; nil until one is needed
	lanes   []*watchConn // for those that catch up
	held    int64        // bytes in buffers
	holders map[*Watcher]struct{}
	flaps   int // connections lost in a row soon after they were made

	cluster uint64 // the id seen last; 0 is none
	seen    int64  // the highest revision seen in that cluster
}

// maxLanes is how many connections watches may use to catch up. Where there
// are more such watches, they share these.
const maxLanes = 8

func newWatchHub(c *Client) *watchHub {
	return &watchHub{
		c: c, budget: c.cfg.WatchBufferBytes, share: max(c.cfg.WatchBufferBytes/watchShare, 1),
		all:     make(map[*Watcher]struct{}),
		conns:   make(map[*watchConn]struct{}),
		holders: make(map[*Watcher]struct{}),
	}
}

// start takes w in and asks for it at the server.
func (h *watchHub) start(w *Watcher) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.opts.start > 0 {
		w.got = behind(w.opts.start - 1)
	}
	h.all[w] = struct{}{}
	if h.closed {
		h.end(w, w.fail(&Error{Kind: ErrClosed}))
	} else {
		h.place(w)
	}
	return w.err
}

// close ends all watches. Their connections end with the client's life.
func (h *watchHub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for w := range h.all {
		h.end(w, w.fail(&Error{Kind: ErrClosed}))
	}
}

// place finds a connection for w, which has none.
func (h *watchHub) place(w *Watcher) {
	var cn *watchConn
	switch {
	case w.opts.bulky:
		cn = h.open(roleOwn)
	case w.created == 0 && w.opts.start == 0:
		cn = h.sharedConn()
	case w.created == 0 || w.parked:
		// How far behind it is nobody knows, or it is far.
		if s := h.shared; s != nil && s.link != nil && w.got.rev >= s.rev {
			cn = s // not at all
		} else {
			cn = h.lane()
		}
	default:
		cn = h.sharedConn()
	}
	w.parked = false
	if cn != nil {
		w.at = cn.attach(w)
	}
}

// sharedConn is where live watches go.
func (h *watchHub) sharedConn() *watchConn {
	if h.shared == nil {
		h.shared = h.open(roleShared)
	}
	return h.shared
}

// lane is where a watch goes that has to catch up: alone, while there are not
// too many of them.
func (h *watchHub) lane() *watchConn {
	if s := h.shared; s != nil && s.link != nil && !s.link.duplex() {
		return s // every watch has a connection of its own there
	}
	if len(h.lanes) < maxLanes {
		cn := h.open(roleLane)
		if cn != nil {
			h.lanes = append(h.lanes, cn)
		}
		return cn
	}
	return slices.MinFunc(h.lanes, func(a, b *watchConn) int { return len(a.atts) - len(b.atts) })
}

// open makes a connection. It gives nil if the client has been closed, which
// ends the watches, too.
func (h *watchHub) open(role connRole) *watchConn {
	cn := newWatchConn(h, role)
	h.conns[cn] = struct{}{}
	if h.c.start(cn.run) != nil {
		delete(h.conns, cn)
		cn.stop(ErrClosed)
		return nil
	}
	return cn
}

// park cancels w at the server until it has room.
func (h *watchHub) park(w *Watcher) {
	w.full, w.parked = true, true
	h.release(w)
}

// release takes w off its connections, keeping its position.
func (h *watchHub) release(w *Watcher) {
	w.got = w.position()
	if a := w.at; a != nil {
		w.at = nil
		a.conn.detach(a)
	}
	if a := w.moving; a != nil {
		w.moving = nil
		a.conn.detach(a)
	}
}

// end ends w with err. What it holds can still be taken.
func (h *watchHub) end(w *Watcher, err error) {
	if w.err != nil {
		return
	}
	w.err = err
	h.release(w)
	delete(h.all, w)
	delete(h.holders, w)
	h.held -= w.size
	w.size = 0
	w.wake()
}

// compacted is the error of a watch that cannot go on before rev.
func (w *Watcher) compacted(rev int64) error {
	return w.fail(&Error{Kind: ErrCompacted, Code: CodeOutOfRange, Err: &CompactedError{Revision: rev}})
}

// verify compares the header of a linearizable read, sent when the highest
// revision seen was seen, with what is known of the cluster. A cluster that was
// wiped or restored ends all watches of the old one: nothing says what they
// have missed. The error is for who came upon it.
func (h *watchHub) verify(hd Header, seen int64, endpoint string) error {
	if hd.ClusterID == 0 || hd.Revision == 0 {
		return nil // the answer of a member that refuses to say
	}
	var why string
	switch {
	case h.cluster != 0 && hd.ClusterID != h.cluster:
		why = fmt.Sprintf("the cluster's id was %x and is %x", h.cluster, hd.ClusterID)
	case hd.Revision < seen:
		why = fmt.Sprintf("the cluster's revision was %d and is %d", seen, hd.Revision)
	default:
		h.note(hd)
		return nil
	}
	h.cluster, h.seen = hd.ClusterID, hd.Revision
	for w := range h.all {
		if w.created != 0 {
			h.end(w, w.fail(&Error{Endpoint: endpoint, Kind: ErrClusterChanged, Message: why}))
		}
	}
	err := &Error{Op: "watch", Endpoint: endpoint, Kind: ErrClusterChanged, Message: why}
	for cn := range h.conns {
		if cn.link != nil {
			cn.stop(err)
		}
	}
	return err
}

// note takes in a header of the cluster.
func (h *watchHub) note(hd Header) {
	if h.cluster == 0 {
		h.cluster = hd.ClusterID
	}
	h.seen = max(h.seen, hd.Revision)
}
