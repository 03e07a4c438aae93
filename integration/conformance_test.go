package integration_test

import (
	"fmt"
	"testing"

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

func TestProcessesOf35Conform(t *testing.T) { conformance.Run(t, processes("3.5", "3.5.35")) }
func TestProcessesOf36Conform(t *testing.T) { conformance.Run(t, processes("3.6", "3.6.14")) }
func TestProcessesOf37Conform(t *testing.T) { conformance.Run(t, processes("3.7", "3.7.3")) }
