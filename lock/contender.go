package lock

import (
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// A Contender is somebody who holds a lock or waits for it, as it told of
// itself.
type Contender struct {
	Position int    // 0 of a holder; the first who waits has 1
	Kind     string // "writer" (a mutex's contender is one), "reader", "permits"; "" of another program's
	Weight   int64  // permits: how many
	Token    int64  // the revision that created its key
	Lease    etcd.LeaseID
	Key      string
	Host     string            // name of its machine
	PID      int               // its process
	Program  string            // base name of its executable
	Since    time.Time         // when it entered the line, by its own clock
	Held     time.Time         // permits: when it was admitted, if it had to wait
	Metadata map[string]string // see WithMetadata
}

// String describes the contender for messages.
func (c Contender) String() string {
	return line.Member{
		Note:  line.Note{Host: c.Host, PID: c.PID, Program: c.Program, Since: c.Since},
		Key:   c.Key,
		Token: c.Token,
	}.Who()
}

func contender(m line.Member) Contender {
	c := Contender{
		Kind: string(m.Kind), Weight: m.Weight, Token: m.Token, Lease: m.Lease, Key: m.Key,
		Host: m.Host, PID: m.PID, Program: m.Program, Since: m.Since, Metadata: m.Meta,
	}
	if m.Held != nil {
		c.Held = *m.Held
	}
	return c
}
