package line

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/etcd"
)

// A Line is one line of contenders as a session sees it. It is safe for use by
// many goroutines at once.
type Line struct {
	s      *etcd.Session
	prefix string
	what   string

	// calm counts how many in a row found nobody there.
	calm atomic.Int32

	mu     sync.Mutex
	free   []string // keys of contenders that have left for certain
	sights sights
}

// New makes a Line. The prefix ends with "/"; what names it for messages, such
// as `lock "deploy"`. It does no I/O.
func New(s *etcd.Session, prefix, what string) *Line {
	return &Line{s: s, prefix: prefix, what: what}
}

// Session gives the session whose contenders l enqueues.
func (l *Line) Session() *etcd.Session { return l.s }

// Prefix gives what the keys of the line start with.
func (l *Line) Prefix() string { return l.prefix }

// What names the line for messages.
func (l *Line) What() string { return l.what }

func (l *Line) set() etcd.KeySet { return etcd.Prefix(l.prefix) }

// settingsName is the last part of the key that says what all parties of a
// line have agreed on. It is no contender: those start with a hexadecimal
// number.
const settingsName = "settings"

func (l *Line) settingsKey() string { return l.prefix + settingsName }

// isContender reports whether a key below the prefix is a contender's.
func (l *Line) isContender(key string) bool {
	name, ok := strings.CutPrefix(key, l.prefix)
	return ok && name != settingsName && name != tenureName && name != handoverName
}

// maxFree bounds how many keys are kept to be used again.
const maxFree = 256

// takeKey gives a key that nobody uses and no late write can create.
func (l *Line) takeKey() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		key := l.free[n-1]
		l.free = l.free[:n-1]
		return key
	}
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return l.prefix + l.s.Lease().String() + "-" + hex.EncodeToString(nonce[:])
}

// giveKey takes a key back of which it is certain that it is not there and
// that no write under way can create it.
func (l *Line) giveKey(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) < maxFree {
		l.free = append(l.free, key)
	}
}
