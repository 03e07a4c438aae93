package etcdtest

import (
	"fmt"
	"testing"
)

func BenchmarkPut(b *testing.B) {
	c := newClient(b, Start(b))
	for i := 0; b.Loop(); i++ {
		c.put(fmt.Sprint("k", i%1000), "value")
	}
}

func BenchmarkTxnOf120Puts(b *testing.B) {
	c := newClient(b, Start(b))
	var ops []obj
	for i := range 120 {
		ops = append(ops, put(fmt.Sprint("k", i)))
	}
	txn := then(ops...)
	for b.Loop() {
		c.call("/v3/kv/txn", txn)
	}
}

func BenchmarkPutBeside10000RangeWatches(b *testing.B) {
	s := Start(b)
	c := newClient(b, s)
	var creates []any
	for i := range 10_000 {
		creates = append(creates, obj{"create_request": obj{"key": b64(fmt.Sprint("p", i, "/")), "range_end": b64(fmt.Sprint("p", i, "0"))}})
	}
	w := c.watch(creates...)
	for range creates {
		w.next()
	}
	for i := 0; b.Loop(); i++ {
		s.Put(fmt.Sprint("q", i%1000), nil)
	}
}
