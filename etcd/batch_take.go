package etcd

// Which of the calls that wait may travel together.

const (
	maxBatchBytes = 1 << 20
	maxTxnOps     = 128
)

// batchLimits is what the server takes in one request.
type batchLimits struct {
	ops   int // members, plus the operations of the largest
	bytes int
}

var usualLimits = batchLimits{ops: maxTxnOps, bytes: maxBatchBytes}

// A party is what travels together.
type party struct {
	calls []*call
	bytes int
	depth int
	puts  bool
}

// fits reports whether k may join p as far as size goes.
func (l batchLimits) fits(p *party, k *call) bool {
	return len(p.calls)+1+max(p.depth, k.depth) <= l.ops && p.bytes+len(k.body)+1 <= l.bytes
}

// partyOf gives the party of calls that were found to fit.
func partyOf(calls []*call) party {
	p := party{calls: make([]*call, 0, len(calls))}
	for _, k := range calls {
		p.join(k)
	}
	return p
}

func (p *party) join(k *call) {
	p.calls = append(p.calls, k)
	p.bytes += len(k.body) + 1
	p.depth = max(p.depth, k.depth)
	p.puts = p.puts || k.puts
}

// learn makes batches smaller than one that the server refused for its size.
// A call that is too large by itself does not count: it never has company.
func (l *batchLimits) learn(kind error, p *party) {
	switch kind {
	case ErrTooManyOps:
		l.ops = min(l.ops, max((len(p.calls)+p.depth)/2, 1))
	case ErrTooLarge:
		l.bytes = min(l.bytes, max(p.bytes/2, 1))
	}
}

// lookAhead is how many calls of the queue are looked at for one request. Calls
// on one hot key cannot travel together, and each request would look at all.
const lookAhead = 4 * maxTxnOps

// take picks from the queue, oldest first, up to most calls that may travel
// together. The oldest always does, so that nobody waits for ever.
func (g *group) take(most int) []*call {
	var (
		p         = party{calls: make([]*call, 0, min(most, g.limits.ops))}
		spaceless = g.write && g.full.Load()
		rest      = g.queue[:0]
	)
	g.claims.reset()
	for i, k := range g.queue {
		full := len(p.calls) == most || len(p.calls) > 0 && len(p.calls)+1+p.depth > g.limits.ops
		if full || i == lookAhead {
			rest = append(rest, g.queue[i:]...)
			break
		}
		fits := len(p.calls) == 0 || g.limits.fits(&p, k) && (!spaceless || k.puts == p.puts)
		if fits && g.claims.admit(k.touches) {
			p.join(k)
		} else {
			rest = append(rest, k)
		}
	}
	clear(g.queue[len(rest):])
	g.queue = rest
	return p.calls
}
