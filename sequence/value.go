package sequence

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/quorate/quorate/etcd"
)

// A record is the value of a sequence's key, as JSON. Numbers are strings, as
// in etcd's own JSON, because not every language reads 64 bits of a number.
// docs/sequence.md describes it.
type record struct {
	Version int    `json:"version"`
	Last    *int64 `json:"last,string,omitempty"` // missing: no number was taken yet
	Start   int64  `json:"start,string"`
	Step    int64  `json:"step,string"`
	Min     int64  `json:"min,string"`
	Max     int64  `json:"max,string"`
	Cycle   bool   `json:"cycle"`
	Nonce   string `json:"nonce"` // of whoever wrote it, different each time
}

// recordVersion is the version of records that this package reads and writes.
const recordVersion = 1

// encode gives the value of a sequence in state s.
func encode(s state, nonce string) []byte {
	r := record{
		Version: recordVersion, Start: s.cfg.Start, Step: s.cfg.Step, Min: s.cfg.Min, Max: s.cfg.Max,
		Cycle: s.cfg.Cycle, Nonce: nonce,
	}
	if s.used {
		r.Last = &s.last
	}
	b, _ := json.Marshal(r) // a plain struct: never fails
	return b
}

// decode reads the value of a sequence's key. What it does not know it refuses,
// because writing would drop it.
func decode(kv etcd.KV) (s state, nonce string, err error) {
	foreign := func(why any) (state, string, error) {
		return state{}, "", fmt.Errorf("%w: %.200q: %v", ErrForeign, kv.Key, why)
	}
	var v struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(kv.Value, &v) != nil || v.Version == 0 {
		return foreign("its value is no record of a sequence")
	}
	if v.Version != recordVersion {
		return foreign(fmt.Sprintf("its value has version %d, this program knows %d", v.Version, recordVersion))
	}
	var r record
	d := json.NewDecoder(bytes.NewReader(kv.Value))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return foreign(err)
	}
	s.cfg = Config{Start: r.Start, Step: r.Step, Min: r.Min, Max: r.Max, Cycle: r.Cycle}
	if err := s.cfg.check(); err != nil {
		return foreign(err)
	}
	if r.Last != nil {
		s.used, s.last = true, *r.Last
		if s.last < s.cfg.Min || s.last > s.cfg.Max {
			return foreign(fmt.Sprintf("its last number %d is out of bounds (%v)", s.last, s.cfg))
		}
	}
	return s, r.Nonce, nil
}

// A mark is the value of the key beside a sequence: that it exists shows that
// the sequence was created, and each change of it that somebody found others in
// the way.
type mark struct {
	Version int    `json:"version"`
	By      string `json:"by"` // who changed it last
}

func encodeMark(by string) []byte {
	b, _ := json.Marshal(mark{Version: recordVersion, By: by}) // a plain struct: never fails
	return b
}

// markedBy gives who changed the mark last; nobody where it can't be read.
func markedBy(kv etcd.KV) string {
	var m mark
	_ = json.Unmarshal(kv.Value, &m) // a mark of another version rings as well
	return m.By
}
