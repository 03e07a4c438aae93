package integration_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/quorate/quorate/embedded"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/internal/conformance"
)

// processes is the conformance target of real server processes.
func processes(line, version string) conformance.Target {
	return conformance.Target{Version: version, New: func(t *testing.T, options conformance.Options) conformance.Server {
		o := cluster.Options{Version: line, TLS: options.TLS, Members: 1}
		if options.ThreeMembers {
			o.Members = 3
		}
		if options.QuotaBytes != 0 {
			o.Args = append(o.Args, fmt.Sprintf("--quota-backend-bytes=%d", options.QuotaBytes))
		}
		c := cluster.Start(t, o)
		s := conformance.Server{URL: c.Direct(0), LoseQuorum: func() { c.Kill(1); c.Kill(2) }}
		if options.TLS {
			s.Roots = c.Certs().Roots
		}
		return s
	}}
}

// inProcess is the conformance target of package embedded.
var inProcess = conformance.Target{Version: "3.7.3", New: func(t *testing.T, options conformance.Options) conformance.Server {
	config := embedded.Config{
		Members: 1, UnsafeNoFsync: true, QuotaBytes: options.QuotaBytes,
		ElectionTimeout: time.Second, // as etcd has it, and with it leases of 2 s
	}
	if options.ThreeMembers {
		config.Members = 3
	}
	var s conformance.Server
	if options.TLS {
		certs, err := cluster.NewCerts(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		config.TLS = &embedded.TLS{CertFile: certs.CertFile, KeyFile: certs.KeyFile}
		s.Roots = certs.Roots
	}
	c, err := embedded.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s.URL = c.Endpoints()[0]
	s.LoseQuorum = func() {
		for i := 1; i < 3; i++ {
			if err := c.StopMember(context.Background(), i); err != nil {
				t.Error(err)
			}
		}
	}
	return s
}}

func TestTheEmbeddedServerConforms(t *testing.T) {
	t.Parallel()
	conformance.Run(t, inProcess)
}

func TestProcessesOf34Conform(t *testing.T) {
	t.Parallel()
	conformance.Run(t, processes("3.4", "3.4.21"))
}

func TestProcessesOf35Conform(t *testing.T) {
	t.Parallel()
	conformance.Run(t, processes("3.5", "3.5.35"))
}

func TestProcessesOf36Conform(t *testing.T) {
	t.Parallel()
	conformance.Run(t, processes("3.6", "3.6.14"))
}

func TestProcessesOf37Conform(t *testing.T) {
	t.Parallel()
	conformance.Run(t, processes("3.7", "3.7.3"))
}
