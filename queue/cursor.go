package queue

import (
	"encoding/json"
	"time"

	"github.com/quorate/quorate/etcd"
)

// MaxPriority is the highest priority; the lowest, and the default, is 0.
const MaxPriority = 9

const levels = MaxPriority + 1

// cursor is the value of the tail, and of the head: per priority the next
// position to be filled, or claimed.
type cursor struct {
	Epoch string        `json:"epoch"`
	Next  [levels]int64 `json:"next"`
	Sizes sizes         `json:"size,omitempty"` // of the tail
	By    []string      `json:"by,omitempty"`
	Marks []mark        `json:"mark,omitempty"`
}

// mark is an earlier total, for rates: ms since 1970 and the sum of Next.
type mark [2]int64

// markEvery is how far marks are apart, at least.
const markEvery = 10 * time.Second

// cursorKV is a cursor as it was read.
type cursorKV struct {
	cursor
	mod     int64
	version int64
}

func (c *cursor) total() (n int64) {
	for _, p := range c.Next {
		n += p
	}
	return n
}

// encode gives the value to be put, with a mark if it is time for one. It stays in
// c, so that the next value goes on from it.
func (c *cursor) encode(now time.Time) []byte {
	if n := len(c.Marks); n == 0 || now.UnixMilli()-c.Marks[n-1][0] >= markEvery.Milliseconds() {
		// The slice may be shared with an earlier value.
		c.Marks = append(append([]mark(nil), c.Marks[max(0, n-1):]...), mark{now.UnixMilli(), c.total()})
	}
	b, _ := json.Marshal(c) // numbers and strings always marshal
	return b
}

// readCursor reads a cursor and refuses what cannot be true: one that is missing
// or of another epoch, and one that is smaller than it has been.
func readCursor(key, epoch string, kv etcd.KV, there bool, seen *cursorKV) (cursorKV, error) {
	c := cursorKV{mod: kv.ModRevision, version: kv.Version}
	if !there {
		return c, damaged(key, "is missing")
	}
	if err := json.Unmarshal(kv.Value, &c.cursor); err != nil {
		return c, damaged(key, "is no cursor: %v", err)
	}
	if epoch != "" && c.Epoch != epoch {
		return c, damaged(key, "is of epoch %.40q instead of %.40q", c.Epoch, epoch)
	}
	for p, n := range c.Next {
		if n < 0 || n > maxPosition {
			return c, damaged(key, "holds position %d", n)
		}
		if seen != nil && kv.ModRevision >= seen.mod && n < seen.Next[p] {
			return c, damaged(key, "went back from %d to %d", seen.Next[p], n)
		}
	}
	return c, nil
}

// maxPosition is far beyond what anybody fills, and leaves room to add to it.
const maxPosition = 1 << 60

// rate gives events a second since the older mark.
func (c *cursor) rate(now time.Time) float64 {
	if len(c.Marks) == 0 {
		return 0
	}
	m := c.Marks[0]
	d := float64(now.UnixMilli()-m[0]) / 1000
	if d <= 0 {
		return 0
	}
	return float64(c.total()-m[1]) / d
}
