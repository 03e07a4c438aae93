package etcd

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Few calls share one request. Where many wait, two requests leave side by
// side, each worth its cost.
func TestAsManyRequestsLeaveAsAreWorthTheirCost(t *testing.T) {
	for _, test := range []struct {
		name                      string
		flying, riding, gathering int
		waiting                   int
		leave                     []int // calls in each request that leaves
	}{
		{name: "few", waiting: 4, leave: []int{4}},
		{name: "less than two are worth", waiting: 2*worthwhile - 1, leave: []int{2*worthwhile - 1}},
		{name: "as many as two are worth", waiting: 2 * worthwhile, leave: []int{worthwhile, worthwhile}},
		{name: "many", waiting: 101, leave: []int{51, 50}},
		{name: "more than two can take", waiting: 400, leave: []int{maxTxnOps, maxTxnOps}},
		{name: "beside a single one", flying: 1, riding: 1, waiting: 5, leave: []int{5}},
		{name: "few beside a shared one", flying: 1, riding: 64, waiting: worthwhile - 1},
		{name: "enough beside a shared one", flying: 1, riding: 64, waiting: worthwhile, leave: []int{worthwhile}},
		{name: "beside two", flying: 2, riding: 2, waiting: 400},
		{name: "while somebody gathers", gathering: 1, waiting: 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGroup(nil, 2, true)
			g.flying, g.riding, g.gathering = test.flying, test.riding, test.gathering
			for i := range test.waiting {
				k := &call{op: Put(fmt.Sprintf("k/%03d", i), nil), done: make(chan struct{})}
				k.prepare("")
				g.queue = append(g.queue, k)
			}
			var sizes []int
			gone := 0
			for _, batch := range g.depart() {
				sizes = append(sizes, len(batch))
				gone += len(batch)
			}
			require.Equal(t, test.leave, sizes)
			require.Len(t, g.queue, test.waiting-gone)
			require.Equal(t, test.flying+len(sizes), g.flying)
			require.Equal(t, test.riding+gone, g.riding)
		})
	}
}

func TestCallsThatCannotShareLeaveOneByOne(t *testing.T) {
	g := newGroup(nil, 2, true)
	for range 3000 {
		k := &call{op: Put("hot", nil), done: make(chan struct{})}
		k.prepare("")
		g.queue = append(g.queue, k)
	}
	require.Empty(t, g.depart(), "each is sent by its caller")
	require.Equal(t, 2, g.flying)
	require.Len(t, g.queue, 2998)
}
