package etcd

import (
	"fmt"
	"slices"
)

// A server checks that a put with IgnoreValue or IgnoreLease finds its key
// before it carries out a transaction, and trusts that when the put's turn
// comes. It refuses transactions that delete the key in between, but for a
// delete without an upper end, which that check does not see: etcd 3.7.3 then
// panics, on every member, and again after each restart. So such a transaction
// is never sent, whichever delete it is.

// checkKept refuses a put that keeps part of a key which an operation before it
// may delete.
func (t *Txn) checkKept() error {
	if !t.keeps() {
		return nil
	}
	_, err := t.keptAfter(nil)
	return err
}

// keptAfter looks at both branches, where the keys of deleted may be gone. It
// gives what may be gone after t.
func (t *Txn) keptAfter(deleted []KeySet) (gone []KeySet, err error) {
	gone = deleted
	for _, branch := range [][]Op{t.Then, t.Else} {
		before := len(deleted)
		now := slices.Clone(deleted)
		for i := range branch {
			switch op := &branch[i]; op.kind {
			case opDelete:
				now = append(now, op.set)
			case opPut:
				if !op.ignoreValue && !op.ignoreLease {
					continue
				}
				for _, s := range now {
					if s.Contains(op.set.key) {
						return nil, fmt.Errorf("put %s keeps its value or lease, but delete %s comes before it: %w", op.set, s, ErrDuplicateKey)
					}
				}
			case opTxn:
				if now, err = op.txn.keptAfter(now); err != nil {
					return nil, err
				}
			}
		}
		gone = append(gone, now[before:]...)
	}
	return gone, nil
}

// keeps reports whether t has a put that keeps part of its key.
func (t *Txn) keeps() bool {
	for _, branch := range [2][]Op{t.Then, t.Else} {
		for i := range branch {
			op := &branch[i]
			if op.kind == opPut && (op.ignoreValue || op.ignoreLease) || op.kind == opTxn && op.txn.keeps() {
				return true
			}
		}
	}
	return false
}
