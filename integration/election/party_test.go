package election

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/internal/party"
)

func TestMain(m *testing.M) { os.Exit(party.Main(m, beParty)) }

const (
	name   = "scheduler"
	prefix = election.Root + name + "/"
)

// beParty leads and does as it is told on standard input.
func beParty(args []string) error {
	ctx := context.Background()
	c, err := etcd.New(etcd.Config{Endpoints: args})
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := etcd.NewSession(ctx, c, etcd.WithTTL(party.Lease))
	if err != nil {
		return err
	}
	e := election.New(s, name)
	t, err := e.Campaign(ctx, []byte(strconv.Itoa(os.Getpid())))
	if err != nil {
		return err
	}
	fmt.Println("leads", t.Token())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "look":
			fmt.Println("expired", errors.Is(t.Err(), etcd.ErrSessionExpired) && errors.Is(t.Err(), election.ErrLost))
		case "context":
			<-t.Context().Done()
			fmt.Println("cause", context.Cause(t.Context()))
		case "write":
			fmt.Println("write", party.Write(ctx, c, t))
		case "transfer":
			cs, err := e.Candidates(ctx)
			if err == nil {
				err = t.Transfer(ctx, cs[len(cs)-1])
			}
			fmt.Println("transfer", err)
		case "resign":
			fmt.Println("resign", t.Resign(ctx))
			return s.Close(ctx)
		}
	}
	return nil
}

// token waits until the process leads.
func token(t *testing.T, p *party.Process) int64 {
	t.Helper()
	n, err := strconv.ParseInt(p.Hear("leads"), 10, 64)
	require.NoError(t, err)
	return n
}
