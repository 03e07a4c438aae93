package etcd

// What tests of other packages need to know of the inside.
const (
	ReadsUnderWay  = readsUnderWay
	WritesUnderWay = writesUnderWay
)
