package queue

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/etcd"
)

// maxRuns is how many runs a record or a claim has, so that a transaction can
// read them all.
const maxRuns = 50

// hold takes in a claim that was made, with the jobs it read.
func (c *consumer) hold(n int64, rec record, res *etcd.TxnResult) {
	rev := res.Header.Revision
	cl := &claim{n: n, key: c.q.keys.claim(c.id, n), token: rev, mod: rev, rec: rec, slot: rec.Alone, taken: time.Now()}
	cl.ctx, cl.end = context.WithCancelCause(c.life)
	var broken []*delivery
	for _, r := range res.Results[3:] {
		for _, kv := range r.Get.KVs {
			_, pos, ok := c.q.keys.position(kv.Key)
			if !ok {
				continue
			}
			d := &delivery{c: c, claim: cl, pos: pos, key: kv.Key, mod: kv.ModRevision}
			var err error
			if d.env, err = decodeEnvelope(kv.Value); err != nil {
				d.env = unreadable(rec.Priority, pos, kv, err)
				d.at = started
				broken = append(broken, d)
			}
			cl.jobs = append(cl.jobs, d)
		}
	}
	cl.left = len(cl.jobs)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.records[n]; !there && c.ownRev >= rev { // the watch was faster than the answer
		c.drop(cl, ErrClaimLost)
		c.touch()
		return
	}
	c.claims[n] = cl
	c.lastClaim, c.lastTook, c.lastGot = time.Now(), time.Since(c.begun), cl.left
	c.trip = min(c.trip+(c.lastTook-c.trip)/8, c.lastTook)
	c.limit = min(c.limit*2, maxClaim)
	for _, d := range cl.jobs {
		if d.at == waiting {
			c.buf = append(c.buf, d)
		}
	}
	for _, d := range broken {
		c.dooms = append(c.dooms, doom{d, byUnreadable, d.env.Reason})
	}
	if cl.left == 0 { // a hole
		c.finish(cl)
	}
	c.touch()
}

// unreadable is what is kept of a value that is no job: all its bytes.
func unreadable(p int, pos int64, kv etcd.KV, err error) *envelope {
	return &envelope{
		ID: "u-" + strconv.Itoa(p) + "-" + strconv.FormatInt(pos, 16) + "-" + strconv.FormatInt(kv.CreateRevision, 16),
		At: time.Now().UnixMilli(), Priority: p, Reason: err.Error(), payload: kv.Value,
	}
}

// claimNumber reads the number of a claim record.
func claimNumber(key string) (int64, bool) {
	i := strings.LastIndexByte(key, '/')
	n, err := strconv.ParseInt(key[i+1:], 16, 64)
	return n, err == nil && n > 0
}
