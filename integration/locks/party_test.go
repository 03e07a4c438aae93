package locks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/internal/party"
	"github.com/quorate/quorate/lock"
)

func TestMain(m *testing.M) { os.Exit(party.Main(m, beParty)) }

// beParty takes locks. It is told its role, an endpoint, and how many it is or
// which lock to take.
func beParty(args []string) error {
	role, endpoint, arg := args[0], args[1], args[2]
	ctx := context.Background()
	c, err := etcd.New(etcd.Config{Endpoints: []string{endpoint}})
	if err != nil {
		return err
	}
	defer c.Close()
	if role == "crowd" {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		return beCrowd(ctx, c, n)
	}
	return beHolder(ctx, c, arg)
}

// beCrowd has n goroutines of one session wait for the lock, and each write its
// token.
func beCrowd(ctx context.Context, c *etcd.Client, n int) error {
	s, err := etcd.NewSession(ctx, c, etcd.WithTTL(time.Minute))
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	m := lock.New(s, "crowd")
	var g errgroup.Group
	for range n {
		g.Go(func() error {
			h, err := m.Acquire(ctx)
			if err != nil {
				return err
			}
			if err := party.Write(ctx, c, h); err != nil {
				return err
			}
			return h.Release(ctx)
		})
	}
	return g.Wait()
}

// beHolder takes a lock and does as it is told on standard input.
func beHolder(ctx context.Context, c *etcd.Client, name string) error {
	s, err := etcd.NewSession(ctx, c, etcd.WithTTL(party.Lease))
	if err != nil {
		return err
	}
	h, err := lock.New(s, name).Acquire(ctx)
	if err != nil {
		fmt.Println("failed", errors.Is(err, etcd.ErrSessionExpired))
		return nil
	}
	fmt.Println("held", h.Token())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "look":
			fmt.Println("expired", errors.Is(h.Err(), etcd.ErrSessionExpired) && errors.Is(h.Err(), lock.ErrLost))
		case "context":
			<-h.Context().Done()
			fmt.Println("cause", context.Cause(h.Context()))
		case "write":
			fmt.Println("write", party.Write(ctx, c, h))
		case "release":
			fmt.Println("release", h.Release(ctx))
			return s.Close(ctx)
		}
	}
	return nil
}
