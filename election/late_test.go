package election_test

import "github.com/quorate/quorate/etcdtest"

// late holds up the next transaction of the troubled member until the function
// is called, which carries it out then, whoever still waits for it.
func (w *world) late() (in *etcdtest.Injected, apply func()) {
	hold := make(chan struct{})
	in = w.srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, Late: hold})
	return in, func() { close(hold) }
}
