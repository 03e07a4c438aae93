package etcdtest_test

import (
	"testing"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/internal/conformance"
)

// inMemory is the conformance target of this package, answering like a version.
func inMemory(version string) conformance.Target {
	return conformance.Target{Version: version, New: func(t *testing.T, options conformance.Options) conformance.Server {
		opts := []etcdtest.Option{etcdtest.WithVersion(version)}
		if options.TLS {
			opts = append(opts, etcdtest.WithTLS(nil))
		}
		if options.QuotaBytes != 0 {
			opts = append(opts, etcdtest.WithQuota(options.QuotaBytes))
		}
		if options.ThreeMembers {
			opts = append(opts, etcdtest.WithMembers(3))
		}
		srv := etcdtest.Start(t, opts...)
		s := conformance.Server{URL: srv.URL(), Dial: srv.Dial, LoseQuorum: func() { srv.Partition(0) }}
		if options.TLS {
			s.Roots = srv.ClientTLS().RootCAs
		}
		return s
	}}
}

func TestTheServerConformsAs35(t *testing.T) {
	t.Parallel()
	conformance.Run(t, inMemory("3.5.35"))
}

func TestTheServerConformsAs36(t *testing.T) {
	t.Parallel()
	conformance.Run(t, inMemory("3.6.14"))
}

func TestTheServerConformsAs37(t *testing.T) {
	t.Parallel()
	conformance.Run(t, inMemory("3.7.3"))
}
