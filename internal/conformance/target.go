package conformance

import (
	"context"
	"crypto/x509"
	"net"
	"testing"
)

// Target is an implementation to hold the facts against.
type Target struct {
	// Version is the etcd version it is or claims to be, such as "3.5.35".
	Version string
	// New returns a fresh server that ends with the test.
	New func(t *testing.T, options Options) Server
}

// Options says what a fact needs of its server. A minimal lease of 2 s, 128
// operations a txn and requests of 1.5 MiB go without saying.
type Options struct {
	TLS          bool  // https with HTTP/2
	QuotaBytes   int64 // 0 is the default
	ThreeMembers bool  // with LoseQuorum; the server is one of the members
}

// Server is one server of a target.
type Server struct {
	URL string
	// Dial, where set, replaces the dialing of the URL's address.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Roots verify the certificate of a server with TLS.
	Roots *x509.CertPool
	// LoseQuorum cuts the server off from its two peers.
	LoseQuorum func()
}

// fact is one test, named as the sentence it checks.
type fact struct {
	name  string
	check func(t *testing.T, g *gateway)
}

// topic is a group of facts. Those of one topic share a server, and run in
// order.
type topic struct {
	name    string
	options Options
	setUp   func(t *testing.T, g *gateway) // may be nil
	facts   []fact
}

// Run checks every fact.
func Run(t *testing.T, target Target) {
	plain := newGateway(t, target, Options{}) // shared by all topics without wishes
	for _, tp := range []topic{
		jsonFacts, errorFacts, putFacts, deleteFacts, rangeFacts, sortFacts,
		txnFacts, nestedFacts, compareFacts, leaseFacts, leaseKeyFacts,
		watchFacts, watchPastFacts, watchProgressFacts, watchSizeFacts, webSocketFacts, postStreamFacts,
		limitFacts, maintenanceFacts, memberFacts, compactionFacts,
		http2Facts, alarmFacts, quotaFacts, leaderlessFacts,
		authAdminFacts, authTokenFacts, permissionFacts,
	} {
		t.Run(tp.name, func(t *testing.T) {
			if tp.options.ThreeMembers {
				t.Parallel() // it waits for timeouts of the server's, on members of its own
			}
			g := plain
			if tp.options != (Options{}) || tp.setUp != nil {
				g = newGateway(t, target, tp.options)
			}
			if tp.setUp != nil {
				tp.setUp(t, g)
			}
			for _, f := range tp.facts {
				t.Run(f.name, func(t *testing.T) { f.check(t, g.forTest(t)) })
			}
		})
	}
}
