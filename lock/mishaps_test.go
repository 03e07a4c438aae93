package lock_test

import (
	"strings"

	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// act is a run in which a mishap happens.
type act struct {
	*world
	kind
	v    *linetest.Victim
	m    linetest.Mishap
	made contender // what the contender acquires
}

var mishaps = append(linetest.Mishaps(lock.ErrDeleted), linetest.Mishap{
	Name: "it is broken before the answer", Does: breakOwn, After: true, Permits: []error{lock.ErrBroken, lock.ErrDeleted},
})

// breakOwn is an operator who breaks one of the contender's locks.
func breakOwn(v *linetest.Victim) {
	for _, key := range v.Own(lock.Root) {
		name, _, _ := strings.Cut(strings.TrimPrefix(key, lock.Root), "/")
		if kv, ok := v.Srv.Get(key); ok {
			_, _ = lock.Break(v.World.Context(), v.Client(), name, kv.CreateRevision, "stuck")
			return
		}
	}
}
