package queue

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/names"
)

// Root is what the keys of all queues start with that have no prefix of their
// own.
const Root = "quorate/queue/"

// ownRoot is below which every queue has its own key, which makes the list of
// names.
const ownRoot = Root + "n/"

// keys knows where everything of a queue stands.
type keys struct {
	own  string // the queue's own key
	data string // what all its other keys start with
}

func makeKeys(name string, raw *string) (keys, error) {
	if raw != nil {
		prefix, err := names.Prefix(strings.TrimSuffix(*raw, "/"))
		return keys{own: prefix + "queue", data: prefix + "q/"}, err
	}
	segment, err := names.Escape(name)
	if err != nil {
		return keys{}, err
	}
	return keys{own: ownRoot + segment, data: Root + "q/" + segment + "/"}, nil
}

func (k keys) control() string                   { return k.data + "c/" }
func (k keys) tail() string                      { return k.data + "c/tail" }
func (k keys) head() string                      { return k.data + "c/head" }
func (k keys) paused() string                    { return k.data + "c/paused" }
func (k keys) pauses() string                    { return k.data + "c/pauses" }
func (k keys) soon() string                      { return k.data + "c/soon" }
func (k keys) due() string                       { return k.data + "c/due" }
func (k keys) took() string                      { return k.data + "c/took" }
func (k keys) consumers() string                 { return k.data + "c/consumer/" }
func (k keys) consumer(id string) string         { return k.data + "c/consumer/" + id }
func (k keys) frees() string                     { return k.data + "c/free/" }
func (k keys) claims() string                    { return k.data + "claim/" }
func (k keys) claimsOf(id string) string         { return k.data + "claim/" + id + "/" }
func (k keys) claim(id string, n int64) string   { return fmt.Sprintf("%sclaim/%s/%08x", k.data, id, n) }
func (k keys) jobs() string                      { return k.data + "jobs/" }
func (k keys) inbox() string                     { return k.data + "inbox/" }
func (k keys) laters() string                    { return k.data + "later/" }
func (k keys) later(due int64, id string) string { return k.data + "later/" + hex16(due) + "-" + id }
func (k keys) deads() string                     { return k.data + "dead/" }
func (k keys) dead(died int64, id string) string { return k.data + "dead/" + hex16(died) + "-" + id }
func (k keys) at(id string) string               { return k.data + "at/" + id }
func (k keys) uniques() string                   { return k.data + "unique/" }
func (k keys) windows() string                   { return k.data + "window/" }
func (k keys) window(until int64, id string) string {
	return k.data + "window/" + hex16(until) + "-" + id
}
func (k keys) purges() string { return k.data + "purge/" }
func (k keys) ring() string   { return k.data + "ring" }

// unique is where the owner of a unique key stands: of one that blocks until a
// time, or, if that is 0, until the job is done, which sorts behind every time.
func (k keys) unique(segment string, until int64) string {
	if until == 0 {
		until = -1
	}
	return k.data + "unique/" + segment + "/" + hex16(until)
}

// occupied is the keys of whom a unique key belongs to at a time.
func (k keys) occupied(segment string, at int64) etcd.KeySet {
	return etcd.Range(k.unique(segment, at+1), k.data+"unique/"+segment+"0") // '0' follows '/'
}

func (k keys) free(p int, from int64, nonce string) string {
	return fmt.Sprintf("%sc/free/%d-%s-%s", k.data, p, hex16(from), nonce)
}

// job is the key of a position in the log.
func (k keys) job(p int, pos int64) string {
	return k.data + "jobs/" + string(rune('0'+p)) + "/" + hex16(pos)
}

// span is the positions from <= pos < to. Both ends are bound, so that the
// server steps over no more than these.
func (k keys) span(p int, r run) etcd.KeySet {
	return etcd.Range(k.job(p, r[0]), k.job(p, r[1]))
}

// exactly is span, without what somebody else has put behind the last position.
func (k keys) exactly(p int, r run) etcd.KeySet {
	if r.len() == 1 {
		return etcd.Key(k.job(p, r[0]))
	}
	return etcd.Range(k.job(p, r[0]), k.job(p, r[1]-1)+"\x00")
}

// position reads the key of a job in the log back.
func (k keys) position(key string) (p int, pos int64, ok bool) {
	rest, found := strings.CutPrefix(key, k.jobs())
	if !found || len(rest) != 18 || rest[0] < '0' || rest[0] > '9' || rest[1] != '/' {
		return 0, 0, false
	}
	for i := 2; i < len(rest); i++ { // as hex16 tells it, and not in another way
		switch c := rest[i]; {
		case '0' <= c && c <= '9':
			pos = pos<<4 | int64(c-'0')
		case 'a' <= c && c <= 'f':
			pos = pos<<4 | int64(c-'a'+10)
		default:
			return 0, 0, false
		}
	}
	return int(rest[0] - '0'), pos, pos >= 0
}

// upTo is the keys below prefix that start with a time before t, in ms, which
// is not negative, and not before from.
func upTo(prefix string, from, t int64) etcd.KeySet {
	return etcd.Range(prefix+hex16(from), prefix+hex16(max(t, from+1)))
}

// timeOf reads the time that a key below prefix starts with. Of a key that starts
// with none, it is the last one whose keys sort in front of it.
func timeOf(prefix, key string) int64 { return floor16(strings.TrimPrefix(key, prefix)) }

// behind gives the first position whose key sorts behind one in the log, which may
// be somebody else's.
func (k keys) behind(key string) int64 {
	rest := strings.TrimPrefix(key, k.jobs())
	return min(floor16(rest[min(len(rest), len("0/")):]), maxPosition) + 1
}

// floor16 reads the number that s starts with, of which hex16 makes the same. If it
// starts with none, it is the greatest of which hex16 sorts in front of it, or 0.
func floor16(s string) int64 {
	const digits = 16
	n := uint64(0)
	for i := range digits {
		left := 4 * (digits - i) // bits
		switch {
		case i == len(s) || s[i] < '0':
			n = max(n<<left, 1) - 1
		case s[i] <= '9':
			n = n<<4 | uint64(s[i]-'0')
			continue
		case s[i] < 'a':
			n = (n<<4|10)<<(left-4) - 1
		case s[i] <= 'f':
			n = n<<4 | uint64(s[i]-'a'+10)
			continue
		default:
			n = (n+1)<<left - 1
		}
		break
	}
	return int64(min(n, never))
}

// onlyOf gives an error if one of the keys that were read is not of the set that
// was asked for: whoever goes through it would come to no end, or go beyond it.
func onlyOf(set etcd.KeySet, kvs []etcd.KV) error {
	for _, kv := range kvs {
		if !set.Contains(kv.Key) {
			return fmt.Errorf("%w: key %.300q is not of what was asked for", etcd.ErrBadReply, kv.Key)
		}
	}
	return nil
}

func hex16(n int64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := 15; i >= 0; i-- {
		b[i] = digits[n&15]
		n >>= 4
	}
	return string(b[:])
}

// validID reports whether s can be the id of a job: it is made of what needs no
// escape in a key.
func validID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}
